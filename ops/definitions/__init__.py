"""`tallymill definitions`: an app's events, read from a file and applied."""
