"""How bearer tokens are checked: by signature or by asking their issuer, and whom their claims name."""
