"""What both APIs share on the wire: JSON, numbers, limits of depth, errors, replies."""
