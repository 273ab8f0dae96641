"""The contract of all packages: bodies and how they are judged, records, documents, settings. Pure."""
