"""What all routes share: reads, limits and answers a request, and counts it in the metrics."""
