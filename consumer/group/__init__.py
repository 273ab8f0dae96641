"""Membership of the consumer group, with its own code for Kafka's group protocol. It reads no records."""
