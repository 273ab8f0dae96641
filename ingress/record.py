"""events.record: `POST /games/v1/events`. The order of the checks is rule B1; each answers alone.

1. taken in and judged (intake.py); nothing left: answered, nothing published (G9)
2. published, acked by Kafka: from here on the batch will be counted, whatever crashes (B7)
3. waits until it is counted (G15): totals, ALREADY_UPDATED; the receipt in any case
"""

from ingress.answers import (
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
from ingress.body import Receive
from ingress.edge import Scope
from ingress.intake import Headers, Intake, JudgedBatch, RecordParts, WholeFailure
from ingress.language import Written, languages_asked, number_writer
from ingress.ports import Position, Unavailable
from ingress.query import Query, query_of
from ingress.waiting import NOTHING_KNOWN, Seen
from schemas.coordinates import Coordinates
from schemas.documents import PAYLOAD_DIFFERS
from schemas.envelope import Envelope, seal
from schemas.games import EventFailureCause
from schemas.receipt import Receipt, issue_receipt

__all__ = ["RecordEvents", "RecordParts"]


class RecordEvents:
    """The endpoint."""

    def __init__(self, parts: RecordParts) -> None:
        self._parts = parts
        self._intake = Intake(parts, parts.rates, parts.refusals)

    async def __call__(self, scope: Scope, receive: Receive) -> Reply:
        batch = await self._intake.batch(scope, receive)
        if isinstance(batch, WholeFailure):
            return _failure(batch)
        if not batch.accepted:
            return judged_reply(batch.request, batch.judgement)
        return await self._recorded(batch, self._written(batch, query_of(scope)))

    def _written(self, batch: JudgedBatch, query: Query) -> Written:
        """How the totals are to be written (G19). The definitions are at hand: the batch was judged by them."""
        arrival = batch.arrival
        languages = languages_asked(query.get("language"), arrival.headers.get(b"accept-language"))
        return number_writer(self._parts.definitions.known(arrival.identity.app), languages)

    async def _recorded(self, batch: JudgedBatch, written: Written) -> Reply:
        parts = self._parts
        position = await self._published(batch)
        acked_seconds = parts.clock.seconds()
        coordinates = self._coordinates(position)
        seen = await self._seen(
            batch, coordinates, 0 if _responds_async(batch.arrival.headers) else parts.apply_timeout_seconds
        )
        seen_seconds = parts.clock.seconds()
        if seen.passed:
            parts.metrics.visible(seen_seconds - acked_seconds)
        else:
            parts.metrics.unseen()
        since = batch.arrival.received_seconds
        timing = server_timing(acked_seconds - since, seen_seconds - since if seen.passed else None)
        if seen.misfortune and seen.misfortune.cause == PAYLOAD_DIFFERS:
            parts.metrics.payload_differs()
        reply = _answer(batch, seen, written).having(timing)
        if coordinates is None:
            return reply
        receipt = issue_receipt(Receipt(coordinates, parts.clock.millis()), parts.signing)
        return reply.having((b"tallymill-receipt", receipt.encode()))

    async def _published(self, batch: JudgedBatch) -> Position | None:
        parts = self._parts
        identity = batch.arrival.identity
        envelope = Envelope(identity.app, identity.player, batch.arrival.received_millis, batch.judgement)
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

    async def _seen(self, batch: JudgedBatch, coordinates: Coordinates | None, timeout_seconds: float) -> Seen:
        parts = self._parts
        if coordinates is None:
            return NOTHING_KNOWN
        parts.applied.acked(coordinates)
        if not parts.apply_timeout_seconds:
            return NOTHING_KNOWN
        return await parts.applied.wait(coordinates, batch.arrival.identity.actor, timeout_seconds)


def _failure(failure: WholeFailure) -> Reply:
    if failure.retry_seconds is None:
        return whole_failure_reply(failure.cause)
    return rate_high_reply(failure.retry_seconds)


def _answer(batch: JudgedBatch, seen: Seen, written: Written) -> Reply:
    """What the client is told of a published batch."""
    player = batch.arrival.identity.player
    fate = seen.misfortune.fate if seen.misfortune else "applied"
    if fate == "duplicate":
        events = player_events(player, events_named(batch.request), seen.totals, written)
        return whole_failure_reply(EventFailureCause.ALREADY_UPDATED, events)
    if fate != "applied":
        # The worker could not count it: OK would be a lie (B7). The receipt tells an operator which record it is.
        return refusal_reply(Refusal.SET_ASIDE)
    events = player_events(player, events_accepted(batch.accepted), seen.totals, written)
    return judged_reply(batch.request, batch.judgement, events)


def _responds_async(headers: Headers) -> bool:
    """`Prefer: respond-async` (RFC 7240): answered at once, not when counted."""
    preferences = headers.get(b"prefer", b"").lower().split(b",")
    return any(preference.partition(b";")[0].strip() == b"respond-async" for preference in preferences)
