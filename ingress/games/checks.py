"""From a request to a judged batch: the checks that events.record and its dry run share, in the order of rule B1.

1. Content-Length too large 413 -> token 401 -> scope 403 -> media type 415 -> body too large 413, too slow 408
2. JSON and shape 400 -> TOO_LARGE -> RECORD_RATE_HIGH -> judged by period and update

A large body (http/body_budget.py) of a player who is too fast is RECORD_RATE_HIGH before it is decoded and parsed.
Limits are those of the token's app, so only the first look at Content-Length is at everybody's. What is refused after
the token is noted (refusals/recorder.py): each cause of a request once, with the first place it was found at.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from ingress.auth.authenticator import Authenticator, require_record_scope
from ingress.delivery.lineage import Lineage
from ingress.delivery.read_your_writes import AppliedWatch
from ingress.delivery.throttle import Throttle
from ingress.games.definitions import Definitions
from ingress.games.replies import events_named
from ingress.http.body import Receive, headers_of, refuse_announced_size, require_json
from ingress.http.body_budget import BodyBudget, Lease
from ingress.http.metrics import Metrics
from ingress.http.pipeline import Scope
from ingress.http.rate_limit import AppRates
from ingress.http.replies import Refusal, Refused
from ingress.ports import Publisher, Unavailable
from ingress.refusals.recorder import Noted, Refusals, Sender
from schemas.games.body import EventFailureCause, EventRecordRequest, EventUpdateFailureCause, parse_request
from schemas.games.judging import AcceptedUpdate, Judgement, accepted_updates, is_too_large, judge
from schemas.records.signing import SigningKeys
from schemas.settings import Limits
from schemas.wire.malformed import MalformedBody
from serving.clock import Clock
from serving.tokens.bearer import bearer_token
from serving.tokens.identity import Identity

Headers = dict[bytes, bytes]

# Which header a refusal is about; the body was not read.
_HEADER_OF = {Refusal.MEDIA_TYPE: "Content-Type", Refusal.BODY_LARGE: "Content-Length"}


@dataclass(frozen=True, slots=True)
class RecordParts:
    """All that recording needs."""

    limits: Limits
    signing: SigningKeys
    clock: Clock
    authenticator: Authenticator
    rates: AppRates
    definitions: Definitions
    publisher: Publisher
    lineage: Lineage
    applied: AppliedWatch
    refusals: Refusals
    metrics: Metrics
    bodies: BodyBudget
    apply_timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request whose sender is known."""

    identity: Identity
    limits: Limits
    headers: Headers
    received_millis: int
    received_seconds: float
    lease: Lease


@dataclass(frozen=True, slots=True)
class JudgedBatch:
    """A batch of which `accepted` is to be counted; it may be nothing."""

    arrival: Arrival
    body: bytes
    request: EventRecordRequest
    judgement: Judgement
    accepted: tuple[AcceptedUpdate, ...]


@dataclass(frozen=True, slots=True)
class WholeFailure:
    """A well-formed batch that is refused as a whole, in-band; not to be tried again before `retry_seconds`."""

    cause: EventFailureCause
    retry_seconds: float | None = None


class Intake:
    """Takes requests in. `rates` are counted up; without `refusals` (a dry run) nothing is noted or counted."""

    def __init__(self, parts: RecordParts, rates: AppRates, refusals: Refusals | None) -> None:
        self._parts = parts
        self._throttle = Throttle(rates, parts.publisher, parts.applied)
        self._refusals = refusals

    async def arrived(self, scope: Scope) -> Arrival:
        """The request's sender; its lease is to be ended with the request. Raises Refused."""
        parts, headers = self._parts, headers_of(scope)
        millis, seconds = parts.clock.wall_millis(), parts.clock.monotonic_seconds()
        refuse_announced_size(headers, parts.limits.max_body_bytes)
        identity = await parts.authenticator.identify(headers.get(b"authorization"), millis / 1000)
        lease = parts.bodies.of_player(identity)
        return Arrival(identity, parts.limits.for_app(identity.app), headers, millis, seconds, lease)

    async def batch(self, arrival: Arrival, receive: Receive) -> JudgedBatch | WholeFailure:
        """Raises Refused, ClientLeft."""
        body = b""
        try:
            found = await self._body(arrival, receive)
            if isinstance(found, WholeFailure):
                self._count(arrival, Noted(found.cause))
                return found
            body = found
            request = await self._parts.bodies.made(arrival.lease, body, partial(_parsed, body))
        except Refused as error:
            self._note(arrival, _refused(error, body, arrival.headers))
            raise
        if failure := self._too_much(request, arrival):
            field = "timePeriods" if failure.cause is EventFailureCause.TOO_LARGE else ""
            self._count(arrival, Noted(failure.cause, field, body, request.request_id))
            return failure
        judgement = await self._judged(request, arrival)
        return JudgedBatch(arrival, body, request, judgement, accepted_updates(request, judgement))

    async def _body(self, arrival: Arrival, receive: Receive) -> bytes | WholeFailure:
        require_record_scope(arrival.identity)
        coding = require_json(arrival.headers)
        bodies, max_bytes, lease = self._parts.bodies, arrival.limits.max_body_bytes, arrival.lease
        refuse_announced_size(arrival.headers, max_bytes)
        wire = await bodies.sent(receive, max_bytes, lease)
        body = bodies.small(wire, coding, max_bytes, lease)
        if body is not None:
            return body
        if wait_seconds := self._throttle.foreseen_seconds(*_sender(arrival)):
            return WholeFailure(EventFailureCause.RECORD_RATE_HIGH, wait_seconds)
        return await bodies.large(wire, coding, max_bytes, lease)

    def _too_much(self, request: EventRecordRequest, arrival: Arrival) -> WholeFailure | None:
        """TOO_LARGE before RECORD_RATE_HIGH (B1); neither is published, nor the id remembered (G17)."""
        if is_too_large(request, arrival.limits):
            return WholeFailure(EventFailureCause.TOO_LARGE)
        wait_seconds = self._throttle.wait_seconds(*_sender(arrival))
        return WholeFailure(EventFailureCause.RECORD_RATE_HIGH, wait_seconds) if wait_seconds else None

    async def _judged(self, request: EventRecordRequest, arrival: Arrival) -> Judgement:
        wanted, millis, app = events_named(request), arrival.received_millis, arrival.identity.app
        try:
            declared = await self._parts.definitions.declared(app, millis, wanted) if wanted else frozenset()
        except Unavailable as error:
            raise Refused(Refusal.UNAVAILABLE) from error
        judgement = judge(request, millis, arrival.limits, declared)
        if judgement.periods or judgement.updates:
            self._count_parts(request, judgement, arrival)
        return judgement

    def _count_parts(self, request: EventRecordRequest, judgement: Judgement, arrival: Arrival) -> None:
        if self._refusals is None:
            return
        for *_, cause in (*judgement.periods, *judgement.updates):
            self._parts.metrics.refused(str(cause))
        for noted in first_of_each_cause(request, judgement):
            self._note(arrival, noted)

    def _count(self, arrival: Arrival, noted: Noted) -> None:
        """Count and note what the edge, which counts whole refusals, doesn't see."""
        if self._refusals is not None:
            self._parts.metrics.refused(noted.cause)
            self._note(arrival, noted)

    def _note(self, arrival: Arrival, noted: Noted) -> None:
        if self._refusals is not None:
            identity = arrival.identity
            token = (bearer_token(arrival.headers.get(b"authorization")) or "").encode()
            self._refusals.note(Sender(identity.app, identity.player, token, arrival.received_millis), noted)


def _sender(arrival: Arrival) -> tuple[Identity, Limits, float]:
    return arrival.identity, arrival.limits, arrival.received_seconds


def _parsed(body: bytes) -> EventRecordRequest:
    try:
        return parse_request(body)
    except MalformedBody as error:
        raise Refused(Refusal.MALFORMED, error.violations) from error


def _refused(error: Refused, body: bytes, headers: Headers) -> Noted:
    """A refusal of the whole request: where the first violation is, or which header."""
    if error.violations:
        return Noted(error.refusal.name, error.violations[0].field, body)
    field = _HEADER_OF.get(error.refusal, "")
    return Noted(error.refusal.name, field, headers.get(field.lower().encode(), b""))


def first_of_each_cause(request: EventRecordRequest, judgement: Judgement) -> Iterable[Noted]:
    """Why something of a batch was refused: each cause once, with the first period or update it befell."""
    found: dict[str, Noted] = {}
    for i, cause in judgement.periods:
        if cause not in found:
            piece = request.time_periods[i].time_period.as_sent()
            found[cause] = Noted(cause, f"timePeriods[{i}].timePeriod", piece, request.request_id)
    for i, j, reason in judgement.updates:
        if reason not in found:
            name = "definitionId" if reason is EventUpdateFailureCause.NOT_FOUND else "updateCount"
            piece = request.time_periods[i].updates[j].as_sent()
            found[reason] = Noted(reason, f"timePeriods[{i}].updates[{j}].{name}", piece, request.request_id)
    return found.values()
