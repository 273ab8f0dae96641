"""`tallymill probe`: the health check of a container."""
