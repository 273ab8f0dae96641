"""Finds who sends a request: by tokens of the issuer, and by anonymous sessions that the ingress issues."""
