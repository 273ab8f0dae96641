"""`tallymill status`: the questions to each process, and the balance."""
