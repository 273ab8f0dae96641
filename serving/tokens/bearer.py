"""A bearer token of the Authorization header, and nowhere else (B6, G21; RFC 6750), and whom it speaks for.

Checked by a signature (signed.py) or by asking the issuer (introspection.py); here is what both have in common.
A token nobody can check now is 503, for it may be a good one; 401 is said only of what is known to be bad.
"""

from typing import Final, Protocol

from serving.tokens.identity import Identity

# A token is a few hundred bytes; the header of a request is not bounded by the HTTP parser.
MAX_TOKEN_BYTES: Final = 8_192


class TokenCheck(Protocol):
    """How tokens are checked. A token that was checked before costs a look-up."""

    @property
    def ready(self) -> bool:
        """Whether any token can be checked."""
        ...

    async def identity(self, token: str, now_seconds: float) -> Identity:
        """Raises BadToken; Unchecked where nobody can tell now."""
        ...

    async def keep(self) -> None:
        """What has to run in the background; until cancelled."""
        ...
