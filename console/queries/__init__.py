"""The two queries: their parameters, what to read, and what it adds up to. Pure."""
