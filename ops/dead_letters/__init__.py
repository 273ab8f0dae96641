"""`tallymill dead-letters`: records that nobody could read or store, looked at and produced again."""
