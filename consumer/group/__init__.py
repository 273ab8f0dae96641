"""Membership of the consumer group, spoken by ourselves: it reads nothing."""
