"""Checks bearer tokens, by signature or by asking their issuer, and reads the identity from their claims."""
