"""Shared by all routes: how a request is read, limited and answered, and the metrics."""
