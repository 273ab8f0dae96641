"""`tallymill definitions`: reads the events of an app from a file, and writes them to MongoDB."""
