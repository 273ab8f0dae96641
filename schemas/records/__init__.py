"""A Kafka record: its envelope, headers and signature, and the receipt with its coordinates."""
