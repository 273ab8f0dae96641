"""The `tallymill` command, and what its commands share."""
