"""`tallymill load`: open-loop load with a report, and every sum checked against MongoDB to the unit."""
