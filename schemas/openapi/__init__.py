"""The OpenAPI and AsyncAPI documents: tables of routes, examples, the export into `schemas/json/`."""
