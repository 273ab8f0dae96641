"""docs/log-events.md: the events that the code writes to the log, with their meanings."""
