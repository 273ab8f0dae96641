"""events.record: `POST /games/v1/events`. The order of the checks is rule B1; each answers alone.

1. Content-Length too large 413 -> token 401 -> scope 403 -> media type 415 -> body too large 413, too slow 408
2. JSON and shape 400 -> TOO_LARGE -> RECORD_RATE_HIGH -> judged; nothing left: answered, nothing published (G9)
3. published, acked by Kafka: from here on the batch will be counted, whatever crashes (B7)
4. waits until it is counted (G15): totals, ALREADY_UPDATED; the receipt in any case
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ingress.answers import (
    RETRY_LAG_SECONDS,
    Refusal,
    Refused,
    Reply,
    events_accepted,
    events_named,
    judged_reply,
    player_events,
    rate_high_reply,
    refusal_reply,
    server_timing,
    whole_failure_reply,
)
from ingress.applied import AppliedWatch
from ingress.auth import Authenticator, Identity, require_record_scope
from ingress.body import Receive, headers_by_name, read_body, refuse_announced_size, require_json
from ingress.clock import Clock
from ingress.definitions import Definitions
from ingress.edge import Scope
from ingress.lineage import Lineage
from ingress.metrics import Metrics
from ingress.ports import Position, Publisher, Unavailable
from ingress.rates import PlayerRates
from ingress.waiting import NOTHING_KNOWN, Seen
from schemas.coordinates import Coordinates
from schemas.documents import PAYLOAD_DIFFERS
from schemas.envelope import Envelope, seal
from schemas.games import EventFailureCause, EventRecordRequest, MalformedBody, parse_request
from schemas.judging import AcceptedUpdate, Judgement, accepted_updates, is_too_large, judge
from schemas.receipt import Receipt, issue_receipt
from schemas.settings import Limits
from schemas.signing import SigningKeys

Headers = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class RecordParts:
    """All that recording needs."""

    limits: Limits
    signing: SigningKeys
    clock: Clock
    authenticator: Authenticator
    rates: PlayerRates
    definitions: Definitions
    publisher: Publisher
    lineage: Lineage
    applied: AppliedWatch
    metrics: Metrics
    body_timeout_seconds: float
    apply_timeout_seconds: float


@dataclass(frozen=True, slots=True)
class _Batch:
    """One batch that has come to be published."""

    identity: Identity
    received_millis: int
    received_seconds: float
    body: bytes
    request: EventRecordRequest
    judgement: Judgement
    accepted: tuple[AcceptedUpdate, ...]


class RecordEvents:
    """The endpoint."""

    def __init__(self, parts: RecordParts) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive) -> Reply:
        parts = self._parts
        received_millis, received_seconds = parts.clock.millis(), parts.clock.seconds()
        headers = headers_by_name(scope["headers"])
        refuse_announced_size(headers, parts.limits.max_body_bytes)
        identity = parts.authenticator.identify(headers.get(b"authorization"), received_millis / 1000)
        require_record_scope(identity)
        require_json(headers)
        body = await read_body(receive, parts.limits.max_body_bytes, parts.body_timeout_seconds)
        request = _parsed(body)
        if refusal := self._too_much(request, identity, received_seconds):
            return refusal
        judgement = await self._judged(request, identity.app, received_millis)
        accepted = accepted_updates(request, judgement)
        if not accepted:
            return judged_reply(request, judgement)
        batch = _Batch(identity, received_millis, received_seconds, body, request, judgement, accepted)
        return await self._recorded(batch, in_background=_responds_async(headers))

    def _too_much(self, request: EventRecordRequest, identity: Identity, now: float) -> Reply | None:
        """TOO_LARGE before RECORD_RATE_HIGH (B1); neither is published, nor the id remembered (G17)."""
        parts = self._parts
        if is_too_large(request, parts.limits):
            parts.metrics.refused(EventFailureCause.TOO_LARGE)
            return whole_failure_reply(EventFailureCause.TOO_LARGE)
        retry_seconds = parts.rates.wait_seconds(identity.actor, now)
        if (parts.applied.lag_seconds() or 0) > parts.limits.max_lag_seconds:
            retry_seconds = RETRY_LAG_SECONDS
        if retry_seconds:
            parts.metrics.refused(EventFailureCause.RECORD_RATE_HIGH)
            return rate_high_reply(retry_seconds)
        return None

    async def _judged(self, request: EventRecordRequest, app: str, received_millis: int) -> Judgement:
        parts = self._parts
        wanted = events_named(request)
        try:
            declared = await parts.definitions.declared(app, received_millis, wanted) if wanted else frozenset()
        except Unavailable as error:
            raise Refused(Refusal.UNAVAILABLE) from error
        judgement = judge(request, received_millis, parts.limits, declared)
        for *_, cause in (*judgement.periods, *judgement.updates):
            parts.metrics.refused(str(cause))
        return judgement

    async def _recorded(self, batch: _Batch, *, in_background: bool) -> Reply:
        parts = self._parts
        position = await self._published(batch)
        acked_seconds = parts.clock.seconds()
        coordinates = self._coordinates(position)
        seen = await self._seen(batch, coordinates, 0 if in_background else parts.apply_timeout_seconds)
        seen_seconds = parts.clock.seconds()
        if seen.passed:
            parts.metrics.visible(seen_seconds - acked_seconds)
        else:
            parts.metrics.unseen()
        since = batch.received_seconds
        timing = server_timing(acked_seconds - since, seen_seconds - since if seen.passed else None)
        if seen.misfortune and seen.misfortune.cause == PAYLOAD_DIFFERS:
            parts.metrics.payload_differs()
        reply = _answer(batch, seen).having(timing)
        if coordinates is None:
            return reply
        receipt = issue_receipt(Receipt(coordinates, parts.clock.millis()), parts.signing)
        return reply.having((b"tallymill-receipt", receipt.encode()))

    async def _published(self, batch: _Batch) -> Position | None:
        parts = self._parts
        identity = batch.identity
        envelope = Envelope(identity.app, identity.player, batch.received_millis, batch.judgement)
        key, headers = seal(envelope, batch.request.request_id, batch.body, parts.signing)
        started = parts.clock.seconds()
        try:
            position = await parts.publisher.publish(key, headers, batch.body)
        except Unavailable as error:
            raise Refused(Refusal.UNAVAILABLE) from error
        parts.metrics.published(parts.clock.seconds() - started)
        return position

    def _coordinates(self, position: Position | None) -> Coordinates | None:
        """None while it isn't known where the record lies: no receipt, no waiting; it is counted all the same."""
        lineage = self._parts.lineage.current
        if position is None or lineage is None:
            return None
        return Coordinates(lineage, position.partition, position.offset)

    async def _seen(self, batch: _Batch, coordinates: Coordinates | None, timeout_seconds: float) -> Seen:
        parts = self._parts
        if coordinates is None:
            return NOTHING_KNOWN
        parts.applied.acked(coordinates)
        if not parts.apply_timeout_seconds:
            return NOTHING_KNOWN
        return await parts.applied.wait(coordinates, batch.identity.actor, timeout_seconds)


def _parsed(body: bytes) -> EventRecordRequest:
    try:
        return parse_request(body)
    except MalformedBody as error:
        raise Refused(Refusal.MALFORMED, error.violations) from error


def _answer(batch: _Batch, seen: Seen) -> Reply:
    """What the client is told of a published batch."""
    player = batch.identity.player
    fate = seen.misfortune.fate if seen.misfortune else "applied"
    if fate == "duplicate":
        events = player_events(player, events_named(batch.request), seen.totals)
        return whole_failure_reply(EventFailureCause.ALREADY_UPDATED, events)
    if fate != "applied":
        # The worker could not count it: OK would be a lie (B7). The receipt tells an operator which record it is.
        return refusal_reply(Refusal.SET_ASIDE)
    events = player_events(player, events_accepted(batch.accepted), seen.totals)
    return judged_reply(batch.request, batch.judgement, events)


def _responds_async(headers: Headers) -> bool:
    """`Prefer: respond-async` (RFC 7240): answered at once, not when counted."""
    preferences = headers.get(b"prefer", b"").lower().split(b",")
    return any(preference.partition(b";")[0].strip() == b"respond-async" for preference in preferences)
