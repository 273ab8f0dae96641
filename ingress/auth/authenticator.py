"""Who sends: whom a bearer token names (serving/tokens/bearer.py), and whether it may do what is asked (B6, G21)."""

from collections.abc import Collection
from typing import Final

from ingress.config import ANY_APP
from ingress.http.replies import Refusal, Refused
from serving.tokens.bearer import TokenCheck, identified
from serving.tokens.identity import BadToken, Identity, Unchecked

GAMES_SCOPE: Final = "https://www.googleapis.com/auth/games"
RECORD_SCOPES: Final = frozenset((GAMES_SCOPE, "https://www.googleapis.com/auth/games_lite"))


class Authenticator:
    """Whom a request speaks for. `anonymous_apps`: apps that take events of anonymous tokens."""

    def __init__(self, tokens: TokenCheck, anonymous_apps: Collection[str] = (ANY_APP,)) -> None:
        self._tokens = tokens
        self._anonymous_apps = frozenset(anonymous_apps)

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

    def require_known_or_allowed(self, identity: Identity) -> None:
        """Raises Refused for an anonymous token of an app that takes none."""
        if identity.anonymous and not {identity.app, ANY_APP} & self._anonymous_apps:
            raise Refused(Refusal.NO_ANONYMOUS)


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
