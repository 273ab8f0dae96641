"""Every error that is answered, as one table: status, reason, message, whether to retry, what the client does."""
