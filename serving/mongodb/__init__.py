"""The one way to connect to MongoDB, its outages in the log, and its errors in plain words."""
