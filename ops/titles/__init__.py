"""`tallymill titles`: lists and frees titles that have counts of their own."""
