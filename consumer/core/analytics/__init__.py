"""What a worker decides about pools: read, which items are new, and whose titles count."""
