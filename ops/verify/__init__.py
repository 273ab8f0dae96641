"""`tallymill verify`: recounts the log, without the worker's planning code, and compares with MongoDB."""
