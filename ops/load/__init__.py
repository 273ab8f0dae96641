"""`tallymill load`: open-loop load with a report; every sum is compared with MongoDB."""
