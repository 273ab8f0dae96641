"""What the processes share: how they start, the clock, outages, failures, the garbage collector."""
