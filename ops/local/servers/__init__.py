"""Kafka and MongoDB on this machine: downloaded, started, and stopped with their parent."""
