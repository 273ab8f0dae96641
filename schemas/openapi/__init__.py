"""The documents of HTTP APIs and topics: routes as a table, examples, the export into `schemas/json/`."""
