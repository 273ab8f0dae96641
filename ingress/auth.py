"""Who sends: a bearer token of the Authorization header, and nowhere else (B6, G21; RFC 6750).

Checked by a signature (signed.py) or by asking the issuer (introspection.py); here is what both have in common.
A token nobody can check now is 503, for it may be a good one; 401 is said only of what is known to be bad.
"""

from typing import Final, Protocol

from ingress.answers import Refusal, Refused
from ingress.identity import BadToken, Identity
from ingress.ports import Unavailable

__all__ = ["Authenticator", "Identity", "TokenCheck", "bearer_token", "require_player", "require_record_scope"]

GAMES_SCOPE: Final = "https://www.googleapis.com/auth/games"
RECORD_SCOPES: Final = frozenset((GAMES_SCOPE, "https://www.googleapis.com/auth/games_lite"))

# A token is a few hundred bytes; the header of a request is not bounded by the HTTP parser.
MAX_TOKEN_BYTES: Final = 8_192


class TokenCheck(Protocol):
    """How tokens are checked. A token that was checked before costs a look-up."""

    @property
    def ready(self) -> bool:
        """Whether any token can be checked."""
        ...

    async def identity(self, token: str, now_seconds: float) -> Identity:
        """Raises BadToken; Unavailable where nobody can tell now."""
        ...

    async def keep(self) -> None:
        """What has to run in the background; until cancelled."""
        ...


def bearer_token(authorization: bytes | None) -> str | None:
    """The token of an Authorization header; None where there is none, or another scheme's credentials."""
    scheme, _, token = (authorization or b"").partition(b" ")
    return token.strip().decode("ascii", errors="replace") or None if scheme.lower() == b"bearer" else None


class Authenticator:
    """Whom a request speaks for."""

    def __init__(self, tokens: TokenCheck) -> None:
        self._tokens = tokens

    @property
    def ready(self) -> bool:
        return self._tokens.ready

    async def identify(self, authorization: bytes | None, now_seconds: float) -> Identity:
        """Raises Refused: NO_TOKEN, UNAUTHENTICATED, or TOKEN_UNCHECKED while nobody can tell."""
        token = bearer_token(authorization)
        if token is None:
            raise Refused(Refusal.NO_TOKEN)
        return await self.identify_token(token, now_seconds)

    async def identify_token(self, token: str, now_seconds: float) -> Identity:
        """The same, of a token at hand."""
        if len(token) > MAX_TOKEN_BYTES:
            raise Refused(Refusal.UNAUTHENTICATED)
        try:
            return await self._tokens.identity(token, now_seconds)
        except BadToken as error:
            raise Refused(Refusal.UNAUTHENTICATED) from error
        except Unavailable as error:
            raise Refused(Refusal.TOKEN_UNCHECKED) from error


def require_record_scope(identity: Identity) -> None:
    """Raises Refused where the token may not record (either of two scopes will do), or names no player."""
    if not identity.scopes & RECORD_SCOPES:
        raise Refused(Refusal.FORBIDDEN)
    require_player(identity)


def require_games_scope(identity: Identity) -> None:
    """Raises Refused where the token may not list: games_lite is for recording alone."""
    if GAMES_SCOPE not in identity.scopes:
        raise Refused(Refusal.FORBIDDEN_LIST)
    require_player(identity)


def require_player(identity: Identity) -> None:
    """Raises Refused for an anonymous actor: the games API is about players."""
    if identity.anonymous:
        raise Refused(Refusal.ANONYMOUS)
