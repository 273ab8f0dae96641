"""From a request to a judged batch: the checks that events.record and its dry run share, in the order of rule B1.

1. Content-Length too large 413 -> token 401 -> scope 403 -> media type 415 -> body too large 413, too slow 408
2. JSON and shape 400 -> TOO_LARGE -> RECORD_RATE_HIGH -> judged by period and update

A large body (http/body_budget.py) of a player who exceeds the rate is RECORD_RATE_HIGH before it is decoded and parsed.
Limits are those of the token's app; only the first check of Content-Length, before the token, is by the general limits.
What is refused after the token is recorded (refusals/recorder.py): each cause once a request, with its first place.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import msgspec

from ingress.auth.authenticator import require_record_scope
from ingress.delivery.channel import ApiChannel
from ingress.dependencies import Dependencies
from ingress.games.definitions import Definitions
from ingress.http.body import refuse_announced_size, require_json
from ingress.http.body_budget import Lease
from ingress.ports import Unavailable
from ingress.refusals.recorder import RefusalNote, Sender
from schemas.errors.table import Refusal
from schemas.games.body import EventFailureCause, EventRecordRequest, parse_request
from schemas.games.judging import Judgement, accepted_updates, is_too_large, judge_parts
from schemas.settings import Limits
from schemas.wire.malformed import MalformedBody
from serving.http.request import Request
from serving.refused import Refused
from serving.tokens.identity import Identity

# Which header a refusal is about; the body was not read.
_HEADER_OF = {Refusal.MEDIA_TYPE: "Content-Type", Refusal.BODY_LARGE: "Content-Length"}


class Arrival(msgspec.Struct, frozen=True):
    """A request whose sender is known; its body is not read yet."""

    request: Request
    identity: Identity
    limits: Limits
    lease: Lease


class JudgedBatch(msgspec.Struct, frozen=True):
    """A batch that was judged. `named`: the events that it names; `counted`: those that it adds to, perhaps none.

    Both by first appearance: the answer has the totals of `counted`, and of `named` if it is a duplicate (G14).
    """

    arrival: Arrival
    body: bytes
    sent: EventRecordRequest
    judgement: Judgement
    named: tuple[str, ...]
    counted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WholeFailure:
    """A well-formed batch that is refused as a whole, in-band; the client should wait `retry_seconds`."""

    cause: EventFailureCause
    retry_seconds: float | None = None


class Checks:
    """Of one endpoint. The channel's rates are counted up; a dry run neither records nor counts its refusals."""

    def __init__(
        self, shared: Dependencies, channel: ApiChannel, definitions: Definitions, *, is_dry_run: bool = False
    ) -> None:
        self._shared = shared
        self._channel = channel
        self._definitions = definitions
        self._is_dry_run = is_dry_run

    async def arrived(self, request: Request) -> Arrival:
        """Identify the sender. The arrival's lease must end with the request. Raises Refused."""
        shared = self._shared
        refuse_announced_size(request.headers, shared.limits.max_body_bytes)
        identity = await shared.authenticator.identify(request.bearer, request.wall_millis / 1000)
        return Arrival(request, identity, shared.limits.for_app(identity.app), shared.bodies.of_player(identity))

    async def judged(self, arrival: Arrival) -> JudgedBatch | WholeFailure:
        """Read the body and judge it. Raises Refused, ClientLeft."""
        body = b""
        try:
            found = await self._body(arrival)
            if isinstance(found, WholeFailure):
                self._count(arrival, RefusalNote(found.cause))
                return found
            body = found
            sent = await self._shared.bodies.run(arrival.lease, partial(_parsed, body))
        except Refused as error:
            self._note(arrival, _note_of(error, body, arrival.request.headers))
            raise
        if failure := self._whole_failure(sent, arrival):
            field = "timePeriods" if failure.cause is EventFailureCause.TOO_LARGE else ""
            self._count(arrival, RefusalNote(failure.cause, field, body, sent.request_id))
            return failure
        named = events_named(sent)
        declared = self._definitions.declared_at_once(arrival.identity.app, arrival.request.wall_millis, named)
        if declared is None:
            declared = await self._declared(named, arrival)
        judgement = judge_parts(sent, arrival.request.wall_millis, arrival.limits, declared)
        if not (judgement.periods or judgement.updates):
            return JudgedBatch(arrival, body, sent, judgement, named, named)
        self._count_parts(sent, judgement, arrival)
        return JudgedBatch(arrival, body, sent, judgement, named, events_counted(sent, judgement))

    async def _body(self, arrival: Arrival) -> bytes | WholeFailure:
        require_record_scope(arrival.identity)
        coding = require_json(arrival.request.headers)
        bodies, max_bytes, lease = self._shared.bodies, arrival.limits.max_body_bytes, arrival.lease
        if max_bytes < self._shared.limits.max_body_bytes:
            refuse_announced_size(arrival.request.headers, max_bytes)
        wire, body = await bodies.received(arrival.request.read, coding, max_bytes, lease)
        if body is not None:
            return body
        wait_seconds = self._channel.foreseen_seconds(
            arrival.identity, arrival.limits, arrival.request.monotonic_seconds
        )
        if wait_seconds:
            return WholeFailure(EventFailureCause.RECORD_RATE_HIGH, wait_seconds)
        return await bodies.large(wire, coding, max_bytes, lease)

    def _whole_failure(self, sent: EventRecordRequest, arrival: Arrival) -> WholeFailure | None:
        """TOO_LARGE before RECORD_RATE_HIGH (B1); neither is published, nor is the id remembered (G17)."""
        if is_too_large(sent, arrival.limits):
            return WholeFailure(EventFailureCause.TOO_LARGE)
        wait_seconds = self._channel.wait_seconds(arrival.identity, arrival.limits, arrival.request.monotonic_seconds)
        return WholeFailure(EventFailureCause.RECORD_RATE_HIGH, wait_seconds) if wait_seconds else None

    async def _declared(self, named: tuple[str, ...], arrival: Arrival) -> frozenset[str]:
        """The ids that the app had declared when the request arrived, read from MongoDB. Raises Refused."""
        if not named:
            return frozenset()
        try:
            return await self._definitions.declared(arrival.identity.app, arrival.request.wall_millis, named)
        except Unavailable as error:
            raise Refused(Refusal.UNAVAILABLE) from error

    def _count_parts(self, sent: EventRecordRequest, judgement: Judgement, arrival: Arrival) -> None:
        if self._is_dry_run:
            return
        for *_, cause in (*judgement.periods, *judgement.updates):
            self._shared.metrics.refused(self._channel.api, str(cause))
        for note in first_of_each_cause(sent, judgement):
            self._note(arrival, note)

    def _count(self, arrival: Arrival, note: RefusalNote) -> None:
        """Count and record an in-band refusal; the pipeline counts those that are an HTTP error."""
        if not self._is_dry_run:
            self._shared.metrics.refused(self._channel.api, note.cause)
            self._note(arrival, note)

    def _note(self, arrival: Arrival, note: RefusalNote) -> None:
        if not self._is_dry_run:
            identity = arrival.identity
            token = (arrival.request.bearer or "").encode()
            sender = Sender(self._channel.api, identity.app, identity.player, token, arrival.request.wall_millis)
            self._shared.refusals.note(sender, note)


def _parsed(body: bytes) -> EventRecordRequest:
    try:
        return parse_request(body)
    except MalformedBody as error:
        raise Refused(Refusal.MALFORMED, error.violations) from error


def _note_of(error: Refused, body: bytes, headers: Mapping[bytes, bytes]) -> RefusalNote:
    """A refusal of the whole request: where the first violation is, or which header."""
    if error.violations:
        return RefusalNote(error.refusal.name, error.violations[0].field, body)
    field = _HEADER_OF.get(error.refusal, "")
    return RefusalNote(error.refusal.name, field, headers.get(field.lower().encode(), b""))


def events_named(request: EventRecordRequest) -> tuple[str, ...]:
    """Every event that the batch names, by first appearance."""
    return tuple(dict.fromkeys([update.definition_id for period in request.time_periods for update in period.updates]))


def events_counted(request: EventRecordRequest, judgement: Judgement) -> tuple[str, ...]:
    """Those of which at least one update counts."""
    return tuple(dict.fromkeys([update.definition_id for update in accepted_updates(request, judgement)]))


def first_of_each_cause(sent: EventRecordRequest, judgement: Judgement) -> Iterable[RefusalNote]:
    """Why something of a batch was refused: each cause once, with the first period or update it is about."""
    found: dict[str, RefusalNote] = {}
    for i, cause in judgement.periods:
        if cause not in found:
            piece = sent.time_periods[i].time_period.as_sent()
            found[cause] = RefusalNote(cause, f"timePeriods[{i}].timePeriod", piece, sent.request_id)
    for i, j, reason in judgement.updates:
        if reason not in found:
            piece = sent.time_periods[i].updates[j].as_sent()
            found[reason] = RefusalNote(reason, f"timePeriods[{i}].updates[{j}].{reason.field}", piece, sent.request_id)
    return found.values()
