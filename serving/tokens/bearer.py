"""What both ways of checking a bearer token share: by signature (signed.py), and by introspection (introspection.py).

A token that can't be checked now is answered 503, because it may be valid. Only a token that is known to be invalid is
answered 401 (B6, G21; RFC 6750).
"""

from typing import Final, Protocol

from serving.tokens.identity import Identity

# A token has a few hundred bytes. The head of a request may have more than this.
MAX_TOKEN_BYTES: Final = 8_192


class TokenCheck(Protocol):
    """A way to check tokens. Identities are cached."""

    @property
    def ready(self) -> bool:
        """Whether any token can be checked."""
        ...

    async def identity(self, token: str, now_seconds: float) -> Identity:
        """Raises BadToken, or Unchecked if the token can't be checked now."""
        ...

    async def keep(self) -> None:
        """The background work, for example reading keys. Runs until cancelled."""
        ...
