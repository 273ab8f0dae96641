"""`tallymill init`: topics, collections and indexes, made if missing and otherwise compared."""
