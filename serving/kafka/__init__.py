"""Kafka for all processes: how clients are made, which address answers, new metadata, and errors in plain words."""
