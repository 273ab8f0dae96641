"""Who sends: the issuer's tokens, and the anonymous sessions that this ingress issues."""
