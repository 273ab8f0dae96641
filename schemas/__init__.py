"""The contract: what goes over the wire, how it is judged, what a record and a document hold. Pure."""
