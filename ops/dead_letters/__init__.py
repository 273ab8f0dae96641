"""`tallymill dead-letters`: records that could not be read or stored; listed, shown and produced again."""
