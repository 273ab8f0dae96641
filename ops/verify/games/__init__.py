"""The recount of batches."""
