"""Reads partitions: the client and its replacement, the ends of the log, and the checks of topic and leader."""
