"""`tallymill init`: creates topics, collections and indexes, and checks existing ones."""
