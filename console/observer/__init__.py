"""The observer: reads the state of the whole system every two seconds, and keeps one snapshot of it in memory."""
