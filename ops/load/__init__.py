"""`tallymill load`: sends requests at a fixed rate, reports, and compares every sum with MongoDB."""
