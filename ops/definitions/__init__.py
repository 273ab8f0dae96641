"""`tallymill definitions`: the events of an app, read from a file and written to MongoDB."""
