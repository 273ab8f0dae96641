"""Membership of the consumer group: our own implementation of the protocol, apart from reading."""
