"""What was refused and why: recorded, and listed for who asks why an event was dropped."""
