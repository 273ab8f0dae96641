"""Who asks, and what may be done: by a bearer token, or by the session cookie of the page."""
