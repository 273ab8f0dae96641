"""Real Kafka and MongoDB on this machine: fetched, started and stopped with their parent."""
