"""`tallymill lineage`: shows positions and losses of each lineage, accepts losses, and starts a new lineage."""
