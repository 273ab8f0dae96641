"""From a request to AddEvent to its body and sender: the first checks, in the order of B1 as far as A4 allows.

1. Content-Length 413, media type and encoding 415; a token in the Authorization header is checked
2. body 413 or 408, or no room for it 503
3. a large body (http/body_budget.py): no valid token in header or body 401, too fast 429
4. not readable 400, token 401

Each token is checked once. An unknown sender costs least: its large body is only decoded and searched for a token.
"""

from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec

from ingress.analytics.token_scan import token_in
from ingress.delivery.channel import ApiChannel
from ingress.dependencies import Dependencies
from ingress.http.body import beginning, refuse_announced_size, require_text, unpacked
from ingress.http.body_budget import Lease
from ingress.refusals.recorder import RefusalNote, Sender
from schemas.analytics.body import JSON_TYPE, MalformedAnalytics, Sent, TooManyItems, read_sent
from schemas.errors.table import Refusal
from schemas.settings import Limits
from schemas.wire.malformed import Violation
from schemas.wire.strict_json import TooManyValues
from schemas.wire.values import TooLarge
from serving.http.replies import retry_after
from serving.http.request import Request
from serving.refused import Refused
from serving.tokens.identity import Identity

_BLANKS: Final = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token that was checked: whom it names, or why it is refused. Neither where there is no token."""

    token: str | None = None
    identity: Identity | None = None
    refusal: Refused | None = None

    def require_identity(self) -> Identity:
        """Raises Refused."""
        if self.identity is None:
            raise self.refusal.again() if self.refusal else Refused(Refusal.NO_TOKEN)
        return self.identity


class Arrival(msgspec.Struct, frozen=True):
    """A request whose body is not read yet. `credentials`: of the Authorization header."""

    request: Request
    media_type: str
    coding: bytes | None
    credentials: Credentials
    lease: Lease


class ReadPool(msgspec.Struct, frozen=True):
    """A request whose body is read and whose sender is known."""

    arrival: Arrival
    identity: Identity
    sender: Sender
    limits: Limits
    sent: Sent


class PoolReader:
    """Reads the requests of one endpoint."""

    def __init__(self, shared: Dependencies, channel: ApiChannel) -> None:
        self._shared = shared
        self._channel = channel

    async def arrived(self, request: Request) -> Arrival:
        """Check the Authorization header. The arrival's lease must end with the request. Raises Refused."""
        bodies = self._shared.bodies
        refuse_announced_size(request.headers, self._shared.limits.max_analytics_body_bytes)
        media_type, coding = require_text(request.headers)
        credentials = await self._checked(request.bearer, request)
        identity = credentials.identity
        lease = bodies.of_unknown(request) if identity is None else bodies.of_player(identity)
        return Arrival(request, media_type, coding, credentials, lease)

    async def _checked(self, token: str | None, request: Request) -> Credentials:
        """Does not raise Refused: what is wrong with the body is reported before a bad token."""
        if token is None:
            return Credentials()
        try:
            return Credentials(token, await self._shared.authenticator.identify(token, request.wall_millis / 1000))
        except Refused as refusal:
            return Credentials(token, refusal=refusal)

    async def read(self, arrival: Arrival) -> ReadPool:
        """Raises Refused, ClientLeft."""
        body, checked = await self._body(arrival)
        sent, token = await self._parsed(body, arrival)
        credentials = checked if checked.token == token else await self._checked(token, arrival.request)
        identity = credentials.require_identity()
        if arrival.credentials.identity is None:
            arrival.lease.belongs_to(identity)
        limits = self._shared.limits.for_app(identity.app)
        return ReadPool(arrival, identity, _sender(identity, token, arrival), limits, sent)

    async def _parsed(self, body: bytes, arrival: Arrival) -> tuple[Sent, str]:
        try:
            sent = await self._shared.bodies.run(arrival.lease, partial(read_sent, body, arrival.media_type))
            return sent, _token(sent.token, arrival.credentials.token)
        except MalformedAnalytics as error:
            raise Refused(Refusal.MALFORMED, error.violations) from error
        except TooLarge as error:
            raise too_large(error) from error

    async def _body(self, arrival: Arrival) -> tuple[bytes, Credentials]:
        """The body, decoded, and a token that was checked for it. The sender of a large one is known, and not too fast.

        Raises Refused, ClientLeft.
        """
        bodies, lease, max_bytes = self._shared.bodies, arrival.lease, self._shared.limits.max_analytics_body_bytes
        wire, body = await bodies.received(arrival.request.read, arrival.coding, max_bytes, lease)
        if body is not None:
            return body, arrival.credentials
        if arrival.credentials.token is None:
            return await self._body_of_unknown(wire, arrival)
        self._check_rate_and_lag(arrival.credentials, arrival)
        return await bodies.large(wire, arrival.coding, max_bytes, lease), arrival.credentials

    async def _body_of_unknown(self, wire: bytes, arrival: Arrival) -> tuple[bytes, Credentials]:
        """A large body whose token can only be in it. It is not parsed before that token is valid.

        Clients put the token first, as the API's document does: then the sender is known before the body is decoded,
        and does not wait for a turn among the unknown senders.
        """
        bodies, lease, max_bytes = self._shared.bodies, arrival.lease, self._shared.limits.max_analytics_body_bytes
        first = await self._checked(_token_in(beginning(wire, arrival.coding), arrival), arrival.request)
        if first.identity is not None:
            lease.belongs_to(first.identity)
            self._check_rate_and_lag(first, arrival)
            return await bodies.large(wire, arrival.coding, max_bytes, lease), first
        body, token = await bodies.run_in_thread(lease, max_bytes, partial(_searched, wire, arrival, max_bytes))
        if token is None:
            raise Refused(Refusal.NO_TOKEN)
        if token == first.token and first.refusal is not None:
            raise first.refusal.again()
        if arrival.coding is not None:
            lease.replace(len(wire), len(body))
        found = await self._checked(token, arrival.request)
        lease.belongs_to(found.require_identity())
        self._check_rate_and_lag(found, arrival)
        return body, found

    def _check_rate_and_lag(self, credentials: Credentials, arrival: Arrival) -> None:
        """Before a large body is worked on: nothing is counted. Raises Refused."""
        identity = credentials.require_identity()
        limits = self._shared.limits.for_app(identity.app)
        if wait_seconds := self._channel.foreseen_seconds(identity, limits, arrival.request.monotonic_seconds):
            sender = _sender(identity, credentials.token or "", arrival)
            self._shared.refusals.note(sender, RefusalNote(Refusal.ACTOR_RATE_HIGH.name))
            raise Refused(Refusal.ACTOR_RATE_HIGH, headers=(retry_after(wait_seconds),))


def _sender(identity: Identity, token: str, arrival: Arrival) -> Sender:
    token_bytes = token.encode(errors="replace")
    return Sender("analytics", identity.app, identity.player, token_bytes, arrival.request.wall_millis)


def _searched(wire: bytes, arrival: Arrival, max_bytes: int) -> tuple[bytes, str | None]:
    body = unpacked(wire, arrival.coding, max_bytes)
    return body, _token_in(body, arrival)


def _token_in(body: bytes, arrival: Arrival) -> str | None:
    return token_in(body, is_json=body.lstrip(_BLANKS).startswith(b"{") or arrival.media_type == JSON_TYPE)


def _token(in_body: str | None, in_header: str | None) -> str:
    """The body's, else the Authorization header's (A4)."""
    if in_body and in_header and in_body != in_header:
        raise wrong_field("Token", "is another than the Authorization header's")
    token = in_body or in_header
    if token is None:
        raise Refused(Refusal.NO_TOKEN)
    return token


def too_large(error: TooLarge) -> Refused:
    """The refusal that names what was too large."""
    if isinstance(error, TooManyItems):
        return Refused(Refusal.TOO_MANY_ITEMS)
    return Refused(Refusal.TOO_MANY_VALUES if isinstance(error, TooManyValues) else Refusal.TOO_MUCH_TO_STORE)


def wrong_field(field: str, description: str) -> Refused:
    return Refused(Refusal.MALFORMED, (Violation(field=field, description=description),))
