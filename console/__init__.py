"""The query side: what was counted and registered, read from MongoDB, so that readers never slow the ingress."""
