"""The games API: events.record with its checks and replies, the dry run, the lists and their languages."""
