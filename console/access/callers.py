"""Tells who asks, from a bearer token or from a session's cookie alike (Q2).

A route calls `allowed` with the scope that it needs. A route that changes something calls `may_write`.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from console.access.caller import Caller
from schemas.errors.table import Refusal
from schemas.wire.console_replies import OPERATE_SCOPE, READ_SCOPE
from schemas.wire.refusals import REFUSALS_SCOPE
from serving.http.request import Request
from serving.refused import Refused
from serving.tokens.authenticator import Authenticator

LACKING: Final[Mapping[str, Refusal]] = {
    READ_SCOPE: Refusal.FORBIDDEN_READ,
    REFUSALS_SCOPE: Refusal.FORBIDDEN_REFUSALS,
    OPERATE_SCOPE: Refusal.FORBIDDEN_OPERATE,
}
"""The scopes of the console's routes, and how a caller without one is refused."""


class Sessions(Protocol):
    """The sessions of the page."""

    def caller(self, request: Request) -> Caller | None:
        """Who the cookie of this request names; None without a valid one, or if another site's page sends it."""
        ...

    def check_write(self, request: Request, caller: Caller) -> None:
        """Raises Refused unless the page itself sends this request."""
        ...


class Callers:
    """Everyone who may ask. Without `sessions` only bearer tokens count."""

    def __init__(self, authenticator: Authenticator, sessions: Sessions | None = None) -> None:
        self._authenticator = authenticator
        self._sessions = sessions

    @property
    def ready(self) -> bool:
        return self._authenticator.ready

    async def of(self, request: Request) -> Caller:
        """Who asks. Raises Refused: NO_TOKEN, UNAUTHENTICATED or TOKEN_UNCHECKED.

        A bearer token counts before a cookie: it was sent on purpose, so that a wrong one is an error.
        """
        if request.bearer is None and self._sessions and (found := self._sessions.caller(request)):
            return found
        identity = await self._authenticator.identify(request.bearer, request.wall_millis / 1000)
        return Caller(identity.player, identity.app, identity.scopes, identity.expires_seconds, "bearer")

    async def allowed(self, request: Request, scope: str) -> Caller:
        """Who asks, if the scope is among the caller's. Raises Refused."""
        caller = await self.of(request)
        require(caller, scope)
        return caller

    async def may_write(self, request: Request, scope: str) -> Caller:
        """The same for a request that changes something: with a cookie it must come from the page. Raises Refused."""
        caller = await self.of(request)
        if self._sessions and caller.way == "session":
            self._sessions.check_write(request, caller)
        require(caller, scope)
        return caller


def require(caller: Caller, scope: str) -> None:
    """Raises Refused unless the scope is among the caller's."""
    if scope not in caller.scopes:
        raise Refused(LACKING[scope])
