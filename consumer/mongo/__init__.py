"""The store in MongoDB: one transaction for each flush, the owner of a partition, and what an error means."""
