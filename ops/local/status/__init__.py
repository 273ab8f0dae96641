"""`tallymill status`: asks each process, and adds up the balance."""
