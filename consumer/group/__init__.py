"""Membership of the consumer group, by Kafka's group protocol. It reads no records."""
