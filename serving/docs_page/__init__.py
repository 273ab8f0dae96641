"""The page at /docs, in ingress and console: Swagger UI, started by a script that gives each execution its own id."""
