"""Refusals: recorded, and listed to answer why an event was dropped."""
