"""Who sends: whom a bearer token names (serving/tokens/bearer.py), and whether it may do what is asked (B6, G21)."""

from typing import Final

from ingress.http.replies import Refusal, Refused
from serving.tokens.bearer import TokenCheck, identified
from serving.tokens.identity import BadToken, Identity, Unchecked

GAMES_SCOPE: Final = "https://www.googleapis.com/auth/games"
RECORD_SCOPES: Final = frozenset((GAMES_SCOPE, "https://www.googleapis.com/auth/games_lite"))


class Authenticator:
    """Whom a request speaks for."""

    def __init__(self, tokens: TokenCheck) -> None:
        self._tokens = tokens

    @property
    def ready(self) -> bool:
        return self._tokens.ready

    async def identify(self, token: str | None, now_seconds: float) -> Identity:
        """Raises Refused: NO_TOKEN, UNAUTHENTICATED, or TOKEN_UNCHECKED while the token can't be checked."""
        if token is None:
            raise Refused(Refusal.NO_TOKEN)
        try:
            return await identified(self._tokens, token, now_seconds)
        except BadToken as error:
            raise Refused(Refusal.UNAUTHENTICATED) from error
        except Unchecked as error:
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
