"""The recount of pools and their items."""
