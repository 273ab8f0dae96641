"""Reading partitions: the client and its replacement, the log's ends, and which topic and election a record is of."""
