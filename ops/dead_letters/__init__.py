"""`tallymill dead-letters`: lists, shows and produces again the records that could not be read or stored."""
