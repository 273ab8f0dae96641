"""`tallymill logs`: the logs of all processes as one, by time."""
