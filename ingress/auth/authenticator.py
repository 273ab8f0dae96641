"""Identifies the sender of a request by its bearer token, and checks the token's scopes (B6, G21)."""

from collections.abc import Collection

from ingress.config import ANY_APP
from schemas.canary import CANARY_APP, CANARY_SCOPE
from schemas.errors.table import Refusal
from schemas.games.scopes import GAMES_SCOPE, RECORD_SCOPES
from serving.refused import Refused
from serving.tokens import authenticator
from serving.tokens.bearer import TokenCheck
from serving.tokens.identity import Identity


class Authenticator(authenticator.Authenticator):
    """Identifies senders. `anonymous_apps`: apps that accept events with anonymous tokens."""

    def __init__(
        self,
        tokens: TokenCheck,
        anonymous_apps: Collection[str] = (ANY_APP,),
        rejected: authenticator.Rejected = authenticator.unnoted,
    ) -> None:
        super().__init__(tokens, rejected)
        self._anonymous_apps = frozenset(anonymous_apps)

    async def identify(self, token: str | None, now_seconds: float) -> Identity:
        """The sender that the token names. Raises Refused, also for the reserved app without its scope."""
        identity = await super().identify(token, now_seconds)
        if identity.app == CANARY_APP and CANARY_SCOPE not in identity.scopes:
            raise Refused(Refusal.RESERVED_APP)
        return identity

    def require_known_or_allowed(self, identity: Identity) -> None:
        """Raises Refused for an anonymous token of an app that does not accept them."""
        if identity.anonymous and not {identity.app, ANY_APP} & self._anonymous_apps:
            raise Refused(Refusal.NO_ANONYMOUS)


def require_record_scope(identity: Identity) -> None:
    """Raises Refused unless the token has one of the two recording scopes and names a player."""
    if identity.scopes.isdisjoint(RECORD_SCOPES):
        raise Refused(Refusal.FORBIDDEN)
    require_player(identity)


def require_games_scope(identity: Identity) -> None:
    """Raises Refused unless the token may list and names a player. The scope games_lite allows only recording."""
    if GAMES_SCOPE not in identity.scopes:
        raise Refused(Refusal.FORBIDDEN_LIST)
    require_player(identity)


def require_player(identity: Identity) -> None:
    """Raises Refused for an anonymous actor: the games API serves only players."""
    if identity.anonymous:
        raise Refused(Refusal.ANONYMOUS)
