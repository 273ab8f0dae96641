"""The analytics API: `POST /AddEvent` and `POST /AddEventBatch`.

1. the body is read and its sender identified (checks.py)
2. anonymous and not allowed 403; the app's own size 413
3. shape 400, too many events or too much to store 413, too fast or workers behind 429; no events at all: answered,
   nothing published (A5)
4. published with the token's value blanked (B6), waited for until registered (delivery/deliver.py), answered

What is refused after the token is noted (refusals/recorder.py), from the blanked body.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial as bound
from typing import Final

from ingress.analytics.checks import AnalyticsParts, Arrival, Checks, too_large, wrong_field
from ingress.analytics.replies import (
    DUPLICATE,
    analytics_refusal,
    other_events,
    partly_registered_reply,
    registered_reply,
)
from ingress.config import ANY_APP
from ingress.delivery.deliver import Delivered, Delivery, Sealed
from ingress.delivery.throttle import Throttle
from ingress.delivery.waiters import WaitResult
from ingress.http.body import Receive
from ingress.http.metrics import BAD_ITEM
from ingress.http.pipeline import Scope
from ingress.http.query import query_of
from ingress.http.replies import Refusal, Refused, Reply, retry_after
from ingress.refusals.recorder import MAX_PIECE_BYTES, RefusalNote, piece_of
from schemas.analytics.body import MAX_REQUEST_ID_CHARACTERS, AnalyticsBatch, MalformedAnalytics, parse_analytics
from schemas.analytics.stored import require_storable, stored_bytes
from schemas.documents import PAYLOAD_DIFFERS
from schemas.records.envelope import Owner
from schemas.records.pools import PoolJudgement, seal_pool
from schemas.wire.malformed import Violation
from schemas.wire.values import TooLarge

__all__ = ["AddEvents", "AnalyticsParts"]

_is_idempotency_key = re.compile(rf"[!-~]{{1,{MAX_REQUEST_ID_CHARACTERS}}}\Z").match
_PARTIAL: Final = {None: False, "false": False, "true": True}


@dataclass(frozen=True, slots=True)
class _Taken:
    """A batch that is to be registered, all of it, or with `partial` its good events; what it says is in its bytes."""

    request_id: str | None
    partial: bool
    good: int
    bad: int
    violations: Sequence[Violation]


class AddEvents:
    """The endpoint. `single`: AddEvent, which takes one event (A5)."""

    def __init__(self, parts: AnalyticsParts, *, single: bool) -> None:
        self._parts = parts
        self._single = single
        self._throttle = Throttle(parts.rates, parts.publisher, parts.applied)
        self._checks = Checks(parts, self._throttle)
        self._delivery = Delivery(parts)

    async def __call__(self, scope: Scope, receive: Receive) -> Reply:
        opened = await self._checks.opened(scope)
        with opened.lease:
            arrival = await self._checks.arrived(opened, receive)
            try:
                taken = await self._taken(arrival, query_of(scope).get("partial"))
            except Refused as error:
                self._note(arrival, error)
                raise
            if not taken.good:
                return registered_reply()
            # Nothing else may hold what was parsed while Kafka and the workers are waited for.
            arrival = arrival.without_fields()
            return await self._registered(arrival, taken)

    async def _taken(self, arrival: Arrival, partial: str | None) -> _Taken:
        """Raises Refused where nothing of it is."""
        identity = arrival.identity
        if identity.anonymous and not {identity.app, ANY_APP} & set(self._parts.anonymous_apps):
            raise Refused(Refusal.NO_ANONYMOUS)
        if partial not in _PARTIAL:
            raise wrong_field("partial", "must be true or false")
        if len(arrival.sent.blanked) > arrival.limits.max_analytics_body_bytes:
            raise Refused(Refusal.BODY_LARGE)
        judge = bound(self._judged, arrival, is_partial=_PARTIAL[partial])
        batch, request_id = await self._parts.bodies.made(arrival.lease, arrival.sent.blanked, judge)
        self._refuse_haste(arrival)
        self._count(arrival, batch)
        return _Taken(request_id, _PARTIAL[partial], len(batch.items), len(batch.bad_positions), tuple(batch.bad))

    def _judged(self, arrival: Arrival, *, is_partial: bool) -> tuple[AnalyticsBatch, str | None]:
        """The events, and the request's id; beside the event loop where the body is large. Raises Refused."""
        try:
            batch = parse_analytics(arrival.sent, arrival.limits.max_items_per_request, single=self._single)
        except MalformedAnalytics as error:
            raise Refused(Refusal.MALFORMED, error.violations) from error
        except TooLarge as error:
            raise too_large(error) from error
        request_id = _request_id(batch.request_id, arrival.headers)
        # Where no event is good there is no part to register.
        if batch.bad and not (is_partial and batch.items):
            raise Refused(Refusal.MALFORMED, tuple(batch.bad))
        try:
            require_storable(stored_bytes(batch, arrival.identity.app, arrival.identity.player, request_id))
        except TooLarge as error:
            raise too_large(error) from error
        return batch, request_id

    def _refuse_haste(self, arrival: Arrival) -> None:
        if wait_seconds := self._throttle.wait_seconds(arrival.identity, arrival.limits, arrival.received_seconds):
            raise Refused(Refusal.ACTOR_RATE_HIGH, headers=(retry_after(wait_seconds),))

    async def _registered(self, arrival: Arrival, taken: _Taken) -> Reply:
        identity, sent = arrival.identity, arrival.sent
        owner = Owner(identity.app, identity.player, arrival.received_millis)
        judgement = PoolJudgement(taken.partial, taken.request_id)
        seal = bound(seal_pool, owner, judgement, sent.content_type, sent.blanked, self._parts.signing)
        key, headers = await self._parts.bodies.made(arrival.lease, sent.blanked, seal)
        record = Sealed(key, headers, sent.blanked)
        delivered = await self._delivery.of(record, None, arrival.received_seconds, arrival.headers)
        self._refuse_other_events(arrival, delivered)
        return _answer(taken, delivered.seen).having(*delivered.headers)

    def _refuse_other_events(self, arrival: Arrival, delivered: Delivered) -> None:
        """Raises Refused where some stand for others than before under the same request id (A11)."""
        rejection = delivered.seen.rejection
        if rejection is None or rejection.cause != PAYLOAD_DIFFERS:
            return
        self._parts.metrics.payload_differs()
        where = "Idempotency-Key" if b"idempotency-key" in arrival.headers else "requestId"
        violation = Violation(field=where, description=other_events(rejection.differing))
        refused = Refused(Refusal.PAYLOAD_DIFFERS, (violation,), delivered.headers)
        self._note(arrival, refused)
        raise refused

    def _note(self, arrival: Arrival, error: Refused) -> None:
        field = error.violations[0].field if error.violations else ""
        noted = RefusalNote(error.refusal.name, field, arrival.sent.blanked[:MAX_PIECE_BYTES])
        self._parts.refusals.note(arrival.sender, noted)

    def _count(self, arrival: Arrival, batch: AnalyticsBatch) -> None:
        """The events, and those that are left out of a batch of which the rest is registered (A10)."""
        self._parts.metrics.items(len(batch.items))
        if batch.media.raw is not None:
            self._parts.metrics.media_undecodable()
        if batch.bad:
            self._parts.metrics.refused(BAD_ITEM, len(batch.bad_positions))
        for violation, entry in zip(batch.bad, batch.bad_entries, strict=True):
            self._parts.refusals.note(arrival.sender, RefusalNote(BAD_ITEM, violation.field, piece_of(entry)))


def _request_id(in_body: str | None, headers: dict[bytes, bytes]) -> str | None:
    """The body's, or Idempotency-Key (A11), which may stand in double quotes: its draft is a structured header."""
    header = headers.get(b"idempotency-key")
    if header is None:
        return in_body
    key = header.decode("latin-1").strip()
    if key.startswith('"') and key.endswith('"'):
        key = key[1:-1]
    if not _is_idempotency_key(key):
        raise wrong_field("Idempotency-Key", f"must have 1 to {MAX_REQUEST_ID_CHARACTERS} visible ASCII characters")
    if in_body not in (None, key):
        raise wrong_field("requestId", "is another than Idempotency-Key")
    return key


def _answer(taken: _Taken, seen: WaitResult) -> Reply:
    """What the client is told of a published batch."""
    fate = seen.rejection.fate if seen.rejection else "applied"
    if fate not in ("applied", "duplicate"):
        # The worker could not register it: OK would be a lie (B7). The receipt tells an operator which record it is.
        return analytics_refusal(Refusal.SET_ASIDE)
    reply = registered_reply()
    if taken.bad:
        reply = partly_registered_reply(taken.good, taken.bad, tuple(taken.violations))
    return reply.having(DUPLICATE) if fate == "duplicate" else reply
