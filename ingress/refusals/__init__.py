"""Records a sample of what was refused, and lists it, to answer why an event was dropped."""
