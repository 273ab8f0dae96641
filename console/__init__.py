"""Reads counts and events from MongoDB for dashboards, in its own process, so that they never slow the ingress."""
