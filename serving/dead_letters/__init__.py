"""Dead letters: the records that could not be read or stored. Read from MongoDB, and produced to Kafka again."""
