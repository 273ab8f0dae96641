"""Who sends a request: tokens of the issuer, and anonymous sessions that the ingress issues."""
