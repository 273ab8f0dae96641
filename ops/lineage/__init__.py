"""`tallymill lineage`: positions and losses of each lineage, and a new lineage with its start."""
