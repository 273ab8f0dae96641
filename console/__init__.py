"""Reads counts and events from MongoDB for dashboards, in a process of its own so that they never slow the ingress."""
