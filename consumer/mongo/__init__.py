"""The store in MongoDB: one transaction a flush, the owner of a partition, and what an error means."""
