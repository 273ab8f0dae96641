"""From a request to AddEvent to its body and sender: the first checks, in the order of B1 as far as A4 allows.

1. Content-Length 413, media type and encoding 415; a token in the Authorization header is checked
2. body 413 or 408, or no room for it 503
3. a large body (http/body_budget.py): no good token in header or body 401, too fast 429
4. not readable 400, token 401

An unknown sender costs least: of a large body no more is done for one than decoding it and searching it for a token.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from ingress.analytics.token_scan import token_in
from ingress.auth.authenticator import Authenticator
from ingress.delivery.lineage import Lineage
from ingress.delivery.read_your_writes import AppliedWatch
from ingress.delivery.throttle import Throttle
from ingress.http.body import Receive, beginning, headers_of, refuse_announced_size, require_text, unpacked
from ingress.http.body_budget import BodyBudget, Lease
from ingress.http.metrics import Metrics
from ingress.http.pipeline import Scope
from ingress.http.rate_limit import AppRates
from ingress.http.replies import Refusal, Refused, retry_after
from ingress.ports import Publisher
from ingress.refusals.recorder import Noted, Refusals, Sender
from schemas.analytics.body import JSON_TYPE, MalformedAnalytics, Sent, TooManyItems, read_sent, token_of
from schemas.records.signing import SigningKeys
from schemas.settings import Limits
from schemas.wire.malformed import Violation
from schemas.wire.strict_json import TooManyValues
from schemas.wire.values import TooLarge
from serving.clock import Clock
from serving.tokens.bearer import bearer_token
from serving.tokens.identity import Identity

_BLANKS: Final = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class AnalyticsParts:
    """All that AddEvent needs; topic, lineage, watch and rates are its own, so that neither API starves the other.

    `anonymous_apps`: apps that take events of anonymous tokens.
    """

    limits: Limits
    signing: SigningKeys
    clock: Clock
    authenticator: Authenticator
    anonymous_apps: Collection[str]
    rates: AppRates
    publisher: Publisher
    lineage: Lineage
    applied: AppliedWatch
    refusals: Refusals
    metrics: Metrics
    bodies: BodyBudget
    apply_timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Opened:
    """A request before its body is read. `identity`: whom the Authorization header names; `refusal`: why nobody."""

    headers: dict[bytes, bytes]
    media_type: str
    coding: bytes | None
    received_millis: int
    received_seconds: float
    identity: Identity | None
    refusal: Refused | None
    lease: Lease


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request whose sender is known."""

    sender: Sender
    identity: Identity
    limits: Limits
    sent: Sent
    headers: dict[bytes, bytes]
    received_millis: int
    received_seconds: float
    lease: Lease

    def without_fields(self) -> "Arrival":
        """With the body as bytes alone: what was parsed of it takes many times as much."""
        return replace(self, sent=self.sent._replace(fields={}))


class AnalyticsIntake:
    """Takes requests in."""

    def __init__(self, parts: AnalyticsParts, throttle: Throttle) -> None:
        self._parts = parts
        self._throttle = throttle

    async def opened(self, scope: Scope) -> Opened:
        """Its lease is to be ended with the request. Raises Refused."""
        parts, headers = self._parts, headers_of(scope)
        refuse_announced_size(headers, parts.limits.max_analytics_body_bytes)
        media_type, coding = require_text(headers)
        millis, seconds = parts.clock.wall_millis(), parts.clock.monotonic_seconds()
        identity, refusal = await self._checked(bearer_token(headers.get(b"authorization")), millis)
        if identity is not None:
            lease = parts.bodies.of_player(identity)
        else:
            lease = parts.bodies.of_unknown(scope, headers.get(b"x-forwarded-for"))
        return Opened(headers, media_type, coding, millis, seconds, identity, refusal, lease)

    async def _checked(self, token: str | None, millis: int) -> tuple[Identity | None, Refused | None]:
        """Whom a token names, or why nobody; what is wrong with the body is said before that."""
        try:
            return await self._parts.authenticator.identify_token(token, millis / 1000) if token else None, None
        except Refused as refusal:
            return None, refusal

    async def arrived(self, opened: Opened, receive: Receive) -> Arrival:
        """Raises Refused, ClientLeft."""
        parts, lease = self._parts, opened.lease
        body = await self._body(opened, receive)
        in_header = bearer_token(opened.headers.get(b"authorization"))
        try:
            sent = await parts.bodies.made(lease, body, partial(read_sent, body, opened.media_type))
            token = _token(token_of(sent), in_header)
        except MalformedAnalytics as error:
            raise Refused(Refusal.MALFORMED, error.violations) from error
        except TooLarge as error:
            raise too_large(error) from error
        if opened.refusal is not None:
            raise opened.refusal
        identity = opened.identity or await self._identified(token, opened)
        limits = parts.limits.for_app(identity.app)
        sender = _sender(identity, token, opened)
        return Arrival(
            sender, identity, limits, sent, opened.headers, opened.received_millis, opened.received_seconds, lease
        )

    async def _identified(self, token: str, opened: Opened) -> Identity:
        identity = await self._parts.authenticator.identify_token(token, opened.received_millis / 1000)
        opened.lease.belongs_to(identity)
        return identity

    async def _body(self, opened: Opened, receive: Receive) -> bytes:
        """The body, decoded; of a large one the sender is known, and not too fast."""
        bodies, lease, max_bytes = self._parts.bodies, opened.lease, self._parts.limits.max_analytics_body_bytes
        wire = await bodies.sent(receive, max_bytes, lease)
        body = bodies.small(wire, opened.coding, max_bytes, lease)
        if body is not None:
            return body
        if opened.identity is not None:
            in_header = bearer_token(opened.headers.get(b"authorization")) or ""
            self._refuse_haste(opened.identity, in_header, opened)
            return await bodies.large(wire, opened.coding, max_bytes, lease)
        return await self._body_of_unknown(wire, opened)

    async def _body_of_unknown(self, wire: bytes, opened: Opened) -> bytes:
        """The body, of which nothing is parsed before a token in it is known to be good.

        Clients put the token first, as the API's document does: then it costs no turn among the unknown.
        """
        if opened.refusal is not None:
            raise opened.refusal
        lease, max_bytes = opened.lease, self._parts.limits.max_analytics_body_bytes
        first = _token_in(beginning(wire, opened.coding), opened)
        identity, refusal = await self._checked(first, opened.received_millis)
        if first is not None and identity is not None:
            lease.belongs_to(identity)
            self._refuse_haste(identity, first, opened)
            return await self._parts.bodies.large(wire, opened.coding, max_bytes, lease)
        body, token = await self._parts.bodies.beside(lease, max_bytes, partial(_searched, wire, opened, max_bytes))
        if token is None:
            raise Refused(Refusal.NO_TOKEN)
        if refusal is not None and token == first:
            raise refusal
        if opened.coding is not None:
            lease.replace(len(wire), len(body))
        self._refuse_haste(await self._identified(token, opened), token, opened)
        return body

    def _refuse_haste(self, identity: Identity, token: str, opened: Opened) -> None:
        """Raises Refused where nothing of the request would be taken, whatever is in it; it isn't counted."""
        limits = self._parts.limits.for_app(identity.app)
        if wait_seconds := self._throttle.foreseen_seconds(identity, limits, opened.received_seconds):
            self._parts.refusals.note(_sender(identity, token, opened), Noted(Refusal.ACTOR_RATE_HIGH.name))
            raise Refused(Refusal.ACTOR_RATE_HIGH, headers=(retry_after(wait_seconds),))


def _sender(identity: Identity, token: str, opened: Opened) -> Sender:
    return Sender(identity.app, identity.player, token.encode(errors="replace"), opened.received_millis)


def _searched(wire: bytes, opened: Opened, max_bytes: int) -> tuple[bytes, str | None]:
    body = unpacked(wire, opened.coding, max_bytes)
    return body, _token_in(body, opened)


def _token_in(body: bytes, opened: Opened) -> str | None:
    return token_in(body, is_json=body.lstrip(_BLANKS).startswith(b"{") or opened.media_type == JSON_TYPE)


def _token(in_body: str | None, in_header: str | None) -> str:
    """The body's, else the Authorization header's (A4)."""
    if in_body and in_header and in_body != in_header:
        raise wrong_field("Token", "is another than the Authorization header's")
    token = in_body or in_header
    if token is None:
        raise Refused(Refusal.NO_TOKEN)
    return token


def too_large(error: TooLarge) -> Refused:
    """What was too large, as it is refused."""
    if isinstance(error, TooManyItems):
        return Refused(Refusal.TOO_MANY_ITEMS)
    return Refused(Refusal.TOO_MANY_VALUES if isinstance(error, TooManyValues) else Refusal.TOO_MUCH_TO_STORE)


def wrong_field(field: str, description: str) -> Refused:
    return Refused(Refusal.MALFORMED, (Violation(field=field, description=description),))
