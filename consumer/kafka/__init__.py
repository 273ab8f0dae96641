"""Reading partitions: one client and what replaces it, the end of the log, which topic and election records are of."""
