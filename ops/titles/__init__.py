"""`tallymill titles`: titles that have counts of their own; listed and freed."""
