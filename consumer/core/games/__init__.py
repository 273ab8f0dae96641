"""What a worker decides about batches: reads, judges, deduplicates and sums them."""
