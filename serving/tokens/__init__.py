"""How bearer tokens are checked: by signature or by asking their issuer, and which identity their claims name."""
