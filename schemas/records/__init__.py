"""A Kafka record: its envelope, headers and signature, and the receipt that names its place."""
