"""The table of all errors: status, reason, message, whether to retry, what the client should do."""
