"""`tallymill lineage`: what offsets belong to, and where counting of them starts."""
