"""What a worker decides about batches: read, judged, deduplicated, summed."""
