"""The analytics API: `POST /AddEvent` and `POST /AddEventBatch`.

The order of the checks is B1's, but that the body is read before the token, which may be in it (A4):

1. Content-Length 413, media type and encoding 415, body 413 or 408, not readable 400
2. token 401, anonymous and not allowed 403; the app's own size 413
3. shape 400, too many events 413, too fast or workers behind 429; no events at all: answered, nothing published (A5)
4. published with the token's value blanked (B6), waited for until registered (delivery.py), answered

What is refused after the token is noted (sample.py), from the blanked body.
"""

import asyncio
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, TypeVar

from ingress.analytics_answers import (
    DUPLICATE,
    analytics_refusal,
    other_events,
    partly_registered_reply,
    registered_reply,
)
from ingress.answers import RETRY_LAG_SECONDS, Refusal, Refused, Reply, retry_after
from ingress.applied import AppliedWatch
from ingress.auth import Authenticator
from ingress.body import Receive, headers_of, read_body, refuse_announced_size, require_text
from ingress.config import ANY_APP
from ingress.delivery import Delivered, Delivery, Sealed
from ingress.edge import Scope
from ingress.lineage import Lineage
from ingress.metrics import BAD_ITEM, Metrics
from ingress.ports import Publisher
from ingress.query import query_of
from ingress.rates import AppRates
from ingress.sample import MAX_PIECE_BYTES, Noted, Refusals, Sender, piece_of
from ingress.waiting import Seen
from schemas.analytics import (
    MAX_REQUEST_ID_CHARACTERS,
    AnalyticsBatch,
    MalformedAnalytics,
    Sent,
    TooManyItems,
    parse_analytics,
    read_sent,
    token_of,
)
from schemas.documents import PAYLOAD_DIFFERS
from schemas.envelope import Owner
from schemas.games import Violation
from schemas.pools import PoolJudgement, seal_pool
from schemas.settings import Limits
from schemas.signing import SigningKeys
from serving.bearer import bearer_token
from serving.clock import Clock
from serving.identity import Identity

# A smaller body is read in less time than a thread takes to answer for it.
MAX_INLINE_BYTES = 64 * 1024
# Larger ones are read beside the loop, so many at a time: a decoded body takes many times its bytes, and nobody's
# token is known before it is read.
LARGE_BODIES_AT_ONCE = 2

_is_idempotency_key = re.compile(rf"[!-~]{{1,{MAX_REQUEST_ID_CHARACTERS}}}\Z").match
_PARTIAL: Final = {None: False, "false": False, "true": True}

_Read = TypeVar("_Read")


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
    body_timeout_seconds: float
    apply_timeout_seconds: float


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A request whose sender is known."""

    sender: Sender
    identity: Identity
    limits: Limits
    sent: Sent
    headers: dict[bytes, bytes]
    received_millis: int
    received_seconds: float


@dataclass(frozen=True, slots=True)
class _Taken:
    """A batch that is to be registered: all of it, or with `partial` its good events."""

    batch: AnalyticsBatch
    request_id: str | None
    partial: bool


class AddEvents:
    """The endpoint. `single`: AddEvent, which takes one event (A5)."""

    def __init__(self, parts: AnalyticsParts, reading: asyncio.Semaphore, *, single: bool) -> None:
        self._parts = parts
        self._reading = reading
        self._single = single
        self._delivery = Delivery(parts)

    async def __call__(self, scope: Scope, receive: Receive) -> Reply:
        arrival = await self._arrived(headers_of(scope), receive)
        try:
            taken = await self._taken(arrival, query_of(scope).get("partial"))
        except Refused as error:
            self._note(arrival, error)
            raise
        self._parts.metrics.items(len(taken.batch.items))
        if taken.batch.media.raw is not None:
            self._parts.metrics.media_undecodable()
        if not taken.batch.items:
            return registered_reply()
        self._note_bad(arrival, taken.batch)
        return await self._registered(arrival, taken)

    async def _arrived(self, headers: dict[bytes, bytes], receive: Receive) -> _Arrival:
        parts = self._parts
        millis, seconds = parts.clock.millis(), parts.clock.seconds()
        max_bytes = parts.limits.max_analytics_body_bytes
        refuse_announced_size(headers, max_bytes)
        content_type, coding = require_text(headers)
        body = await read_body(receive, coding, max_bytes, parts.body_timeout_seconds)
        try:
            sent = await self._read(len(body), lambda: read_sent(body, content_type))
            token = _token(token_of(sent), bearer_token(headers.get(b"authorization")))
        except MalformedAnalytics as error:
            raise Refused(Refusal.MALFORMED, error.violations) from error
        identity = await parts.authenticator.identify_token(token, millis / 1000)
        limits = parts.limits.for_app(identity.app)
        sender = Sender(identity.app, identity.player, token.encode(errors="replace"), millis)
        return _Arrival(sender, identity, limits, sent, headers, millis, seconds)

    async def _read(self, size_bytes: int, read: Callable[[], _Read]) -> _Read:
        """What `read` makes of so many bytes; others are answered meanwhile."""
        if size_bytes <= MAX_INLINE_BYTES:
            return read()
        async with self._reading:
            return await asyncio.to_thread(read)

    async def _taken(self, arrival: _Arrival, partial: str | None) -> _Taken:
        """Raises Refused where nothing of it is."""
        limits, sent, identity = arrival.limits, arrival.sent, arrival.identity
        if identity.anonymous and not {identity.app, ANY_APP} & set(self._parts.anonymous_apps):
            raise Refused(Refusal.NO_ANONYMOUS)
        if partial not in _PARTIAL:
            raise _wrong("partial", "must be true or false")
        if len(sent.blanked) > limits.max_analytics_body_bytes:
            raise Refused(Refusal.BODY_LARGE)
        try:
            batch = await self._read(
                len(sent.blanked), lambda: parse_analytics(sent, limits.max_items_per_request, single=self._single)
            )
        except MalformedAnalytics as error:
            raise Refused(Refusal.MALFORMED, error.violations) from error
        except TooManyItems as error:
            raise Refused(Refusal.TOO_MANY_ITEMS) from error
        taken = _Taken(batch, _request_id(batch.request_id, arrival.headers), _PARTIAL[partial])
        # Where no event is good there is no part to register.
        if batch.bad and not (taken.partial and batch.items):
            raise Refused(Refusal.MALFORMED, tuple(batch.bad))
        self._refuse_haste(arrival)
        return taken

    def _refuse_haste(self, arrival: _Arrival) -> None:
        identity = arrival.identity
        retry_seconds = self._parts.rates.wait_seconds(identity.app, identity.actor, arrival.received_seconds)
        if (self._parts.applied.lag_seconds() or 0) > arrival.limits.max_lag_seconds:
            retry_seconds = RETRY_LAG_SECONDS
        if retry_seconds:
            raise Refused(Refusal.ACTOR_RATE_HIGH, headers=(retry_after(retry_seconds),))

    async def _registered(self, arrival: _Arrival, taken: _Taken) -> Reply:
        identity, sent = arrival.identity, arrival.sent
        owner = Owner(identity.app, identity.player, arrival.received_millis)
        judgement = PoolJudgement(taken.partial, taken.request_id)
        key, headers = seal_pool(owner, judgement, sent.content_type, sent.blanked, self._parts.signing)
        record = Sealed(key, headers, sent.blanked)
        delivered = await self._delivery.of(record, None, arrival.received_seconds, arrival.headers)
        self._refuse_other_events(arrival, delivered)
        return _answer(taken.batch, delivered.seen).having(*delivered.headers)

    def _refuse_other_events(self, arrival: _Arrival, delivered: Delivered) -> None:
        """Raises Refused where some stand for others than before under the same request id (A11)."""
        misfortune = delivered.seen.misfortune
        if misfortune is None or misfortune.cause != PAYLOAD_DIFFERS:
            return
        self._parts.metrics.payload_differs()
        where = "Idempotency-Key" if b"idempotency-key" in arrival.headers else "requestId"
        violation = Violation(field=where, description=other_events(misfortune.differing))
        refused = Refused(Refusal.PAYLOAD_DIFFERS, (violation,), delivered.headers)
        self._note(arrival, refused)
        raise refused

    def _note(self, arrival: _Arrival, error: Refused) -> None:
        field = error.violations[0].field if error.violations else ""
        noted = Noted(error.refusal.name, field, arrival.sent.blanked[:MAX_PIECE_BYTES])
        self._parts.refusals.note(arrival.sender, noted)

    def _note_bad(self, arrival: _Arrival, batch: AnalyticsBatch) -> None:
        """The events that are left out of a batch of which the rest is registered (A10)."""
        if batch.bad:
            self._parts.metrics.refused(BAD_ITEM, len(batch.bad_positions))
        for violation, entry in zip(batch.bad, batch.bad_entries, strict=True):
            self._parts.refusals.note(arrival.sender, Noted(BAD_ITEM, violation.field, piece_of(entry)))


def _token(in_body: str | None, in_header: str | None) -> str:
    """The body's, else the Authorization header's (A4)."""
    if in_body and in_header and in_body != in_header:
        raise _wrong("Token", "is another than the Authorization header's")
    token = in_body or in_header
    if token is None:
        raise Refused(Refusal.NO_TOKEN)
    return token


def _request_id(in_body: str | None, headers: dict[bytes, bytes]) -> str | None:
    """The body's, or Idempotency-Key (A11), which may stand in double quotes: its draft is a structured header."""
    header = headers.get(b"idempotency-key")
    if header is None:
        return in_body
    key = header.decode("latin-1").strip()
    if key.startswith('"') and key.endswith('"'):
        key = key[1:-1]
    if not _is_idempotency_key(key):
        raise _wrong("Idempotency-Key", f"must have 1 to {MAX_REQUEST_ID_CHARACTERS} visible ASCII characters")
    if in_body not in (None, key):
        raise _wrong("requestId", "is another than Idempotency-Key")
    return key


def _wrong(field: str, description: str) -> Refused:
    return Refused(Refusal.MALFORMED, (Violation(field=field, description=description),))


def _answer(batch: AnalyticsBatch, seen: Seen) -> Reply:
    """What the client is told of a published batch."""
    fate = seen.misfortune.fate if seen.misfortune else "applied"
    if fate not in ("applied", "duplicate"):
        # The worker could not register it: OK would be a lie (B7). The receipt tells an operator which record it is.
        return analytics_refusal(Refusal.SET_ASIDE)
    reply = registered_reply()
    if batch.bad:
        reply = partly_registered_reply(len(batch.items), len(batch.bad_positions), tuple(batch.bad))
    return reply.having(DUPLICATE) if fate == "duplicate" else reply
