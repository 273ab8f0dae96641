"""Kafka for all processes: makes clients, finds an address that answers, refreshes metadata, explains errors."""
