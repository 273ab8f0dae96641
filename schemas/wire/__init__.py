"""What goes over the wire whatever the API: JSON, numbers, depth, errors, replies that both APIs have."""
