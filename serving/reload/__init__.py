"""Reads secrets again at SIGHUP, while the process runs."""
