"""What the queries ask for, what is read for them, the steps of time zones, and the replies. Pure."""
