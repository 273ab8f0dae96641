"""What a worker decides about pools: reads them, finds new items, and decides which titles count."""
