"""events.record: `POST /games/v1/events`. The order of the checks is rule B1; each answers alone.

1. taken in and judged (checks.py); nothing left: answered, nothing published (G9)
2. published, and waited for until it is counted (delivery/deliver.py; B7, G15)
3. answered: totals, ALREADY_UPDATED; the receipt in any case
"""

from ingress.delivery.deliver import Delivery, Sealed
from ingress.delivery.waiters import WaitResult
from ingress.games.checks import Arrival, Checks, JudgedBatch, RecordParts, WholeFailure
from ingress.games.language import Written, languages_asked, number_writer
from ingress.games.replies import (
    events_accepted,
    events_named,
    judged_reply,
    player_events,
    rate_high_reply,
    whole_failure_reply,
)
from ingress.http.body import Receive
from ingress.http.pipeline import Scope
from ingress.http.query import Query, query_of
from ingress.http.replies import Refusal, Reply, refusal_reply
from schemas.documents import PAYLOAD_DIFFERS
from schemas.games.body import EventFailureCause
from schemas.records.envelope import Envelope, seal

__all__ = ["RecordEvents", "RecordParts"]


class RecordEvents:
    """The endpoint."""

    def __init__(self, parts: RecordParts) -> None:
        self._parts = parts
        self._checks = Checks(parts, parts.rates, parts.refusals)
        self._delivery = Delivery(parts)

    async def __call__(self, scope: Scope, receive: Receive) -> Reply:
        arrival = await self._checks.arrived(scope)
        with arrival.lease:
            return await self._answered(arrival, receive, query_of(scope))

    async def _answered(self, arrival: Arrival, receive: Receive, query: Query) -> Reply:
        batch = await self._checks.batch(arrival, receive)
        if isinstance(batch, WholeFailure):
            return _failure(batch)
        if not batch.accepted:
            return judged_reply(batch.request, batch.judgement)
        return await self._recorded(batch, self._written(batch, query))

    def _written(self, batch: JudgedBatch, query: Query) -> Written:
        """How the totals are to be written (G19). The definitions are at hand: the batch was judged by them."""
        arrival = batch.arrival
        languages = languages_asked(query.get("language"), arrival.headers.get(b"accept-language"))
        return number_writer(self._parts.definitions.known(arrival.identity.app), languages)

    async def _recorded(self, batch: JudgedBatch, written: Written) -> Reply:
        arrival = batch.arrival
        identity = arrival.identity
        envelope = Envelope(identity.app, identity.player, arrival.received_millis, batch.judgement)
        key, headers = seal(envelope, batch.request.request_id, batch.body, self._parts.signing)
        record = Sealed(key, headers, batch.body)
        delivered = await self._delivery.of(record, identity.actor, arrival.received_seconds, arrival.headers)
        rejection = delivered.seen.rejection
        if rejection and rejection.cause == PAYLOAD_DIFFERS:
            self._parts.metrics.payload_differs()
        return _answer(batch, delivered.seen, written).having(*delivered.headers)


def _failure(failure: WholeFailure) -> Reply:
    if failure.retry_seconds is None:
        return whole_failure_reply(failure.cause)
    return rate_high_reply(failure.retry_seconds)


def _answer(batch: JudgedBatch, seen: WaitResult, written: Written) -> Reply:
    """What the client is told of a published batch."""
    player = batch.arrival.identity.player
    fate = seen.rejection.fate if seen.rejection else "applied"
    if fate == "duplicate":
        events = player_events(player, events_named(batch.request), seen.totals, written)
        return whole_failure_reply(EventFailureCause.ALREADY_UPDATED, events)
    if fate != "applied":
        # The worker could not count it: OK would be a lie (B7). The receipt tells an operator which record it is.
        return refusal_reply(Refusal.SET_ASIDE)
    events = player_events(player, events_accepted(batch.accepted), seen.totals, written)
    return judged_reply(batch.request, batch.judgement, events)
