"""How one batch is judged (docs/rules.md, G5 to G13): which periods and updates count, and why the others don't.

Pure functions of the request, the time it was received, the limits, and the definitions that applied then. The ingress
judges before it publishes. The worker uses the same function for records that no ingress has judged.
"""

import re
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import msgspec

from schemas.documents import ID_SCHEMA_PATTERN
from schemas.games.body import (
    EventBatchRecordFailure,
    EventFailureCause,
    EventPeriodRange,
    EventRecordFailure,
    EventRecordRequest,
    EventUpdateFailureCause,
    SentPeriodRange,
    SentUpdate,
)
from schemas.settings import Limits

# App and definition ids are parts of document ids and field names, so they can't contain '/', '.' or '$'.
matches_id = re.compile(ID_SCHEMA_PATTERN[:-1] + r"\Z").match

# The range of times: windows are stored as datetimes, which end with the year 9999, and no event is older than 1970.
FIRST_MILLIS = 0
LAST_MILLIS = 253_402_300_799_999

# A refused definitionId is echoed to the client, but not more of it than this (G11).
MAX_ECHO_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is refused of one batch, by position. Everything else counts.

    `shift_millis` is added to every period if the client's clock is certainly wrong (G7).
    """

    shift_millis: int = 0
    too_large: bool = False
    periods: tuple[tuple[int, EventFailureCause], ...] = ()
    updates: tuple[tuple[int, int, EventUpdateFailureCause], ...] = ()

    @property
    def refuses_nothing(self) -> bool:
        """Whether all of the batch counts, as it nearly always does."""
        return not (self.periods or self.updates or self.too_large)


NOTHING_REFUSED: Final = Judgement()
"""The judgement of nearly every batch, made once."""


class AcceptedUpdate(msgspec.Struct, frozen=True, gc=False):
    """One update that counts. `period` is the client's own range; `start_millis` its start on our clock.

    A struct, like all that is made for each update or record: it costs a tenth of a named tuple.
    """

    period: SentPeriodRange
    start_millis: int
    definition_id: str
    update_count: int


def judge(request: EventRecordRequest, received_millis: int, limits: Limits, declared: Collection[str]) -> Judgement:
    """Judge a batch received at `received_millis` (ms since 1970 UTC) against `limits` and the `declared` ids."""
    if is_too_large(request, limits):
        return Judgement(too_large=True)
    return judge_parts(request, received_millis, limits, declared)


def judge_parts(
    request: EventRecordRequest, received_millis: int, limits: Limits, declared: Collection[str]
) -> Judgement:
    """The same for a batch that is not too large."""
    shift = _shift_millis(request.current_time_millis, received_millis, limits)
    periods: list[tuple[int, EventFailureCause]] = []
    updates: list[tuple[int, int, EventUpdateFailureCause]] = []
    for i, period in enumerate(request.time_periods):
        if cause := _judge_period(period.time_period, shift, received_millis, limits):
            periods.append((i, cause))
            continue
        for j, update in enumerate(period.updates):
            if reason := _judge_update(update, limits, declared):
                updates.append((i, j, reason))
    if not (shift or periods or updates):
        return NOTHING_REFUSED
    return Judgement(shift_millis=shift, periods=tuple(periods), updates=tuple(updates))


def is_too_large(request: EventRecordRequest, limits: Limits) -> bool:
    """Whether it has too many updates. A period without updates counts as one, because it costs as much (G6)."""
    return sum([len(period.updates) or 1 for period in request.time_periods]) > limits.max_updates_per_request


def _shift_millis(sent_millis: int | None, received_millis: int, limits: Limits) -> int:
    """By how much the client's clock is certainly wrong; 0 if it may be right (G7).

    A body that was stored and sent later looks like a slow clock, so it is not shifted.
    """
    difference = received_millis - (sent_millis or received_millis)
    ahead = difference < -limits.clock_skew_tolerance_seconds * 1000
    reset = difference > limits.max_period_age_seconds * 1000
    return difference if ahead or reset else 0


def _judge_period(
    sent: SentPeriodRange, shift_millis: int, received_millis: int, limits: Limits
) -> EventFailureCause | None:
    """The first of SHORT, LONG, EXPIRED that fits (G8). Equal to a limit passes.

    Whatever the limits are, what passes starts at a time that MongoDB can keep.
    """
    start, end = sent.period_start_millis + shift_millis, sent.period_end_millis + shift_millis
    latest = min(received_millis + limits.clock_skew_tolerance_seconds * 1000, LAST_MILLIS)
    if end - start < limits.min_period_seconds * 1000:
        return EventFailureCause.TIME_PERIOD_SHORT
    if end - start > limits.max_period_seconds * 1000 or end > latest:
        return EventFailureCause.TIME_PERIOD_LONG
    if received_millis - end > limits.max_period_age_seconds * 1000 or start < FIRST_MILLIS:
        return EventFailureCause.TIME_PERIOD_EXPIRED
    return None


def _judge_update(update: SentUpdate, limits: Limits, declared: Collection[str]) -> EventUpdateFailureCause | None:
    """NOT_FOUND before INVALID_UPDATE_VALUE (G10)."""
    if update.definition_id not in declared:
        return EventUpdateFailureCause.NOT_FOUND
    if not 0 < update.update_count <= limits.max_update_count:
        return EventUpdateFailureCause.INVALID_UPDATE_VALUE
    return None


def accepted_updates(request: EventRecordRequest, judgement: Judgement) -> tuple[AcceptedUpdate, ...]:
    """The updates that count, in order. If there are none, nothing is published (G9)."""
    if judgement.too_large:
        return ()
    bad_periods = dict(judgement.periods)
    bad_updates = {(i, j) for i, j, _ in judgement.updates} if judgement.updates else None
    accepted = []
    for i, period in enumerate(request.time_periods):
        if i in bad_periods:
            continue
        sent = period.time_period
        start = sent.period_start_millis + judgement.shift_millis
        for j, update in enumerate(period.updates):
            if not bad_updates or (i, j) not in bad_updates:
                accepted.append(AcceptedUpdate(sent, start, update.definition_id, update.update_count))
    return tuple(accepted)


def batch_failures(request: EventRecordRequest, judgement: Judgement) -> tuple[EventBatchRecordFailure, ...]:
    """One failure per bad period, in order, with the client's own range; or the request-wide one (G8, G16)."""
    if judgement.too_large:
        return (EventBatchRecordFailure(failure_cause=EventFailureCause.TOO_LARGE),)
    return tuple(
        EventBatchRecordFailure(range=_echo(request.time_periods[i].time_period), failure_cause=cause)
        for i, cause in judgement.periods
    )


def _echo(sent: SentPeriodRange) -> EventPeriodRange:
    return EventPeriodRange(period_start_millis=sent.period_start_millis, period_end_millis=sent.period_end_millis)


def event_failures(request: EventRecordRequest, judgement: Judgement) -> tuple[EventRecordFailure, ...]:
    """One failure per (eventId, cause), by first appearance (G10)."""
    failed = (
        (request.time_periods[i].updates[j].definition_id[:MAX_ECHO_CHARACTERS], c) for i, j, c in judgement.updates
    )
    return tuple(EventRecordFailure(event_id=event, failure_cause=cause) for event, cause in dict.fromkeys(failed))


def payload_crc(accepted: Collection[AcceptedUpdate]) -> int:
    """CRC-32 of what a batch counts: the sorted (start, end, definitionId, sum), never the bytes (G16).

    A correct retry has a new currentTimeMillis and so another shift. Hence the client's own times are used.
    """
    sums: dict[tuple[int, int, str], int] = {}
    for update in accepted:
        period = update.period
        key = (period.period_start_millis, period.period_end_millis, update.definition_id)
        sums[key] = sums.get(key, 0) + update.update_count
    # The text that repr() makes of the sorted items: CRCs of it are stored. Written out, it takes three quarters.
    text = ""
    for (start, end, name), count in sorted(sums.items()):
        text += f", (({start}, {end}, {name!r}), {count})"
    return zlib.crc32(f"[{text[2:]}]".encode())
