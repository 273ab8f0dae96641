"""Ingress, worker and recount agree on every body, and none of them raises an unexpected error.

For any bytes the verdicts are the same, and accepted bodies are judged, planned and encoded without an exception.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import bson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from pymongo import InsertOne, ReplaceOne, UpdateOne

from consumer.config import WorkerSettings
from consumer.core.dead import Unreadable
from consumer.core.decode import decode
from consumer.core.flush import Decoded, Flush
from consumer.core.games.decode import Batch, Unjudged
from consumer.core.games.judge import judge_unjudged
from consumer.core.games.plan import make_plan, reads_of
from consumer.core.reads import Known
from consumer.core.records import Record
from consumer.mongo.writes import checkpoint_move, writes_of
from ops.verify.reading import LogRecord, Reading, Rules, read
from schemas.coordinates import PartitionId
from schemas.definitions import Definition
from schemas.documents import actor_of, millis_of, request_key, utc
from schemas.games.body import EventFailureCause, parse_request
from schemas.games.dry_run import dry_run_answer
from schemas.games.judging import LAST_MILLIS, accepted_updates, batch_failures, event_failures, judge
from schemas.settings import Limits
from schemas.wire.int64 import INT64_MAX
from schemas.wire.malformed import MalformedBody
from tests.bodies.batches import BODIES, TIMES, batches
from tests.examples import examples
from tests.samples import KEYS, MINUTE, NOW, batch, period, sealed, update

PARTITION = PartitionId("r1", 0)
EVENTS = ("LEVEL_UP", "COIN")
DECLARED = [
    Definition(app="demo", definition_id=one, default_language="en", names={"en": one}, declared_at=utc(0))
    for one in EVENTS
]
DEFINITIONS = {"demo": DECLARED}
FOREVER = 10.0**300
# What an operator may set, up to what means "no limit".
LIMITS = st.sampled_from(
    [
        Limits(),
        Limits(
            min_period_seconds=0,
            max_period_seconds=FOREVER,
            max_period_age_seconds=FOREVER,
            clock_skew_tolerance_seconds=FOREVER,
            max_update_count=10**9,
        ),
        Limits(max_updates_per_request=2, max_period_age_seconds=FOREVER),
    ]
)
CE_TIMES = [
    b"9999-12-31T23:59:59.999999-08:00",
    b"9999-12-31T23:59:59Z",
    b"0001-01-01T00:00:00+14:00",
    b"1970-01-01T00:00:00.001Z",
    b"2026-09-21T14:00:00Z",
    b"",
    b"\xff",
    b"now",
]


def ingested(offset: int, body: bytes, limits: Limits) -> Record | None:
    """The record that an ingress makes of a body; None where it publishes nothing. All its answers can be written."""
    try:
        request = parse_request(body)
    except MalformedBody:
        return None
    judgement = judge(request, NOW, limits, EVENTS)
    answers = [*batch_failures(request, judgement), *event_failures(request, judgement)]
    assert all(answer.model_dump_json() for answer in answers)
    assert dry_run_answer(request, judgement).model_dump_json()
    if not accepted_updates(request, judgement):
        return None
    return sealed(offset, body, request_id=request.request_id, judgement=judgement)


def worker_reads(record: Record, limits: Limits) -> Batch | Unreadable:
    decoded = decode(record, KEYS)
    assert isinstance(decoded, Batch | Unjudged | Unreadable)
    return judge_unjudged(decoded, DEFINITIONS, limits) if isinstance(decoded, Unjudged) else decoded


def verify_reads(record: Record, limits: Limits) -> Reading:
    found = LogRecord(record.offset, record.timestamp_millis, record.key, record.value, record.headers)
    return read(found, Rules(KEYS, limits, DEFINITIONS))


def as_read(found: Batch | Unreadable) -> Reading:
    """The reading of a recount that corresponds to a worker's."""
    if isinstance(found, Unreadable):
        return Reading("dead")
    sums: Counter[tuple[str, int]] = Counter()
    for one in found.accepted:
        sums[one.definition_id, one.start_millis // MINUTE] += one.update_count
    app, player = found.origin.app, found.origin.player
    assert found.key == request_key(app, player, found.request_id)
    return Reading("countable" if sums else "refused", app, actor_of(app, player), found.key, sums)


def planned(records: Sequence[Record], limits: Limits) -> dict[str, Any]:
    """A flush of these, planned and encoded as MongoDB gets it. Returns what it adds to players, by `_id`."""
    decoded: list[Decoded] = [decode(record, KEYS) for record in records]
    flush = Flush(PARTITION, records[0].offset, records, decoded)
    assert len(records) == reads_of(flush).size.records
    plan = make_plan(flush, Known(definitions=DEFINITIONS), limits)
    assert sum(plan.checkpoint.fates.values()) == len(records)
    bson.encode(checkpoint_move(plan.checkpoint))
    for writes in writes_of(plan).values():
        for write in writes:
            encode(write)
    return {key: dict(one.totals) for key, one in plan.players.items()}


def encode(write: InsertOne[Any] | ReplaceOne[Any] | UpdateOne | dict[str, Any]) -> None:
    if isinstance(write, dict):
        assert bson.encode(write)
        return
    document: Any = write._doc
    assert bson.encode(document)
    if not isinstance(write, InsertOne):
        assert bson.encode(write._filter)


def twice(first: str) -> bytes:
    """A good batch with a value before that doesn't count."""
    return batch(period(update())).replace(b"{", f'{{"kind":{first},"kind":"x",'.encode(), 1)


@settings(max_examples=examples(150), deadline=None)
@given(body=BODIES, limits=LIMITS)
def test_what_an_ingress_publishes_is_counted_and_recounted(body: bytes, limits: Limits) -> None:
    """Its answer is 200: the worker counts what was accepted, and verify finds the same."""
    record = ingested(0, body, limits)
    if record is None:
        return
    found = worker_reads(record, limits)
    assert isinstance(found, Batch)
    assert found.accepted
    assert as_read(found) == verify_reads(record, limits)
    assert planned([record], limits)


@settings(max_examples=examples(150), deadline=None)
@given(
    body=BODIES,
    limits=LIMITS,
    ce_time=st.none() | st.sampled_from(CE_TIMES),
    time_millis=st.sampled_from([NOW, NOW, 0, 1, LAST_MILLIS]),
)
@example(body=twice("9" * 5000), limits=Limits(), ce_time=None, time_millis=NOW)
@example(body=twice("[" * 60 + "]" * 60), limits=Limits(), ce_time=None, time_millis=NOW)
@example(body=twice("[" * 975 + "]" * 975), limits=Limits(), ce_time=None, time_millis=NOW)
@example(body=twice("1e400"), limits=Limits(), ce_time=None, time_millis=NOW)
@example(body=twice("NaN"), limits=Limits(), ce_time=None, time_millis=NOW)
def test_a_record_that_no_ingress_made_means_the_same_to_worker_and_verify(
    body: bytes, limits: Limits, ce_time: bytes | None, time_millis: int
) -> None:
    """Dead, refused or counted, with times at the edges of what a date can say."""
    headers = [] if ce_time is None else [("ce_time", ce_time)]
    record = Record(0, time_millis, b"demo/ann", body, headers)
    found = worker_reads(record, limits)
    assert as_read(found) == verify_reads(record, limits)
    assert planned([record], limits) is not None
    try:
        parse_request(body)
    except MalformedBody:
        assert isinstance(found, Unreadable)
        assert len(found.reason) <= 200
    else:
        assert isinstance(found, Batch)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(batches(40), min_size=1, max_size=6), LIMITS)
def test_any_records_of_a_flush_are_planned_together(bodies: list[bytes], limits: Limits) -> None:
    """Whatever other records are among them."""
    records = [Record(offset, NOW, b"demo/ann", body, []) for offset, body in enumerate(bodies)]
    sealed_too = [ingested(len(bodies) + offset, body, limits) for offset, body in enumerate(bodies)]
    assert planned([*records, *(one for one in sealed_too if one is not None)], limits) is not None


@settings(max_examples=examples(200), deadline=None)
@given(
    start=st.sampled_from(TIMES) | st.integers(-(2**63), INT64_MAX),
    length=st.integers(0, 100) | st.integers(0, INT64_MAX),
    sent=st.sampled_from([one for one in TIMES if 0 <= one <= INT64_MAX]),
    received=st.sampled_from([0, 1, NOW, LAST_MILLIS]),
    limits=LIMITS,
)
def test_g8_what_passes_lies_within_the_dates(
    start: int, length: int, sent: int, received: int, limits: Limits
) -> None:
    """G7, G8: with any clock of the client's, shifted or not, and any limits."""
    end = min(start + length, INT64_MAX)
    if not -(2**63) <= start <= INT64_MAX:
        return
    request = parse_request(batch(period(update(), start=start, end=end), currentTimeMillis=str(sent)))
    judgement = judge(request, received, limits, EVENTS)
    for one in accepted_updates(request, judgement):
        assert 0 <= one.start_millis <= LAST_MILLIS
        assert millis_of(utc(one.start_millis)) == one.start_millis


@pytest.mark.parametrize("start", [-1, LAST_MILLIS])
def test_g8_no_limit_lets_a_period_out_of_the_dates(start: int) -> None:
    """G8: EXPIRED before 1970, LONG after 9999, though the operator set no limit."""
    free = Limits(max_period_age_seconds=FOREVER, clock_skew_tolerance_seconds=FOREVER)
    request = parse_request(batch(period(update(), start=start, end=start + MINUTE)))
    (failure,) = judge(request, NOW, free, EVENTS).periods
    expected = EventFailureCause.TIME_PERIOD_EXPIRED if start < 0 else EventFailureCause.TIME_PERIOD_LONG
    assert (0, expected) == failure


def test_g13_the_sums_of_one_flush_fit_int64_whatever_is_set() -> None:
    """G13: the most records, updates and count that the settings allow, all of one event in one minute."""

    def most(model: type[BaseModel], name: str) -> int:
        return int(model.model_json_schema()["properties"][name]["maximum"])

    updates, count = most(Limits, "max_updates_per_request"), most(Limits, "max_update_count")
    assert most(WorkerSettings, "max_flush_records") * updates * count <= INT64_MAX


def test_g13_the_largest_batches_are_encoded() -> None:
    """G13: the sums of a full flush's worth of one event."""
    limits = Limits(max_update_count=10**9, max_updates_per_request=1000)
    body = batch(period(*[update(count=10**9)] * 1000))
    records = [ingested(offset, body, limits) for offset in range(3)]
    made = [one for one in records if one is not None]
    distinct = [
        sealed(n, batch(period(*[update(count=10**9)] * 1000), request_id=n + 1), request_id=n + 1) for n in range(3)
    ]
    assert {"demo/ann": {"LEVEL_UP": 10**12}} == planned(made, limits)
    assert {"demo/ann": {"LEVEL_UP": 3 * 10**12}} == planned(distinct, limits)
