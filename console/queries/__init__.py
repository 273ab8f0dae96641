"""The two queries: their parameters, what to read, and the sums. Pure."""
