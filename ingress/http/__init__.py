"""What all routes share: how a request is read, limited and answered, and the metrics."""
