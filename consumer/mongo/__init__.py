"""The store: one transaction a flush, whose a partition is, and whose fault an error is."""
