"""`tallymill titles`: the titles that count by their names, listed and freed."""
