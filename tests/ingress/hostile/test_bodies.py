"""Hostile bodies: ingress, worker and verify agree on each, and every accepted body can be stored (B10)."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.analytics.decode import Pool
from consumer.core.analytics.plan import make_plan
from consumer.core.dead import Unreadable
from consumer.core.decode import decode_analytics
from consumer.core.flush import Flush
from consumer.core.reads import Known
from consumer.core.records import Record
from ingress.refusals.recorder import piece_of
from ops.verify.analytics.pools import read_pool
from ops.verify.reading import LogRecord
from schemas.analytics.body import MalformedAnalytics, parse_analytics, read_sent
from schemas.analytics.stored import ITEM_BYTES
from schemas.coordinates import PartitionId
from schemas.settings import Limits
from schemas.wire.values import TooLarge
from tests.bodies.pools import Body, bodies
from tests.ingress.conftest import running_rig
from tests.ingress.hostile.test_requests import hostile
from tests.ingress.rig import NOW, SIGNING, Answer, Rig, token

# Far more than any of our processes has below it when it reads a body.
FRAMES = 600
ANSWERS = {200, 400, 401, 413}
# What the longest coordinates and a clock take more in a document than those of a test.
MOST_SLACK = 64


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


async def sent(body: Body, path: str) -> tuple[Answer, Rig]:
    """What a new ingress answers, with a good token in the body or the header."""
    async for rig in running_rig(Rig()):
        headers = {"content-type": body.content_type}
        headers |= {} if b"secret" in body.sent else {"authorization": f"Bearer {token()}"}
        return await rig.call("POST", path, headers, [body.sent.replace(b"secret", token().encode())]), rig
    raise AssertionError


def verdict(body: Body) -> str:
    """What reading and judging say of it; every bad item as the sample of refusals shows it."""
    try:
        batch = parse_analytics(read_sent(*body))
    except (MalformedAnalytics, TooLarge) as error:
        return f"{type(error).__name__}: {error}"
    return f"{batch} {[piece_of(entry) for entry in batch.bad_entries]}"


def from_frame(number: int, read: Callable[[], str]) -> str:
    return read() if number == 0 else from_frame(number - 1, read)


def in_thread(read: Callable[[], str]) -> str:
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(read()))
    thread.start()
    thread.join()
    return found[0]


@hostile
@given(body=bodies())
def test_b9_a_body_has_one_verdict_at_every_stack_depth_and_in_every_thread(body: Body) -> None:
    """It is a function of the bytes alone."""
    expected = verdict(body)
    assert sys.getrecursionlimit() > FRAMES
    assert expected == from_frame(FRAMES, lambda: verdict(body))
    assert expected == in_thread(lambda: verdict(body))


@hostile
@given(body=bodies(), path=st.sampled_from(["/AddEvent", "/AddEventBatch", "/AddEventBatch?partial=true"]))
def test_b10_what_the_ingress_accepts_the_worker_stores(runner: asyncio.Runner, body: Body, path: str) -> None:
    """Read, planned and encoded without a surprise; verify reads the same. All else is a 4xx."""
    answer, rig = runner.run(sent(body, path))
    assert answer.status in ANSWERS, answer.body
    assert answer.status == 200 or not rig.analytics_topic.records
    for number, kept in enumerate(rig.analytics_topic.records):
        record = Record(number, NOW, kept.key, kept.body, kept.headers)
        pool = decode_analytics(record, SIGNING)
        assert isinstance(pool, Pool), pool
        assert pool.items
        assert_storable(record, pool)
        reading = read_pool(LogRecord(number, NOW, kept.key, kept.body, kept.headers), SIGNING, Limits())
        assert ("countable", len(pool.items)) == (reading.kind, len(reading.items))


def assert_storable(record: Record, pool: Pool) -> None:
    """Its documents are at most as large as estimated, and hardly smaller."""
    flush = Flush(PartitionId("r1", 0), record.offset, [record], [pool])
    plan = make_plan(flush, Known(), Limits())
    for key, period in plan.periods.items():
        bson.encode({"_id": key, "hour": period.hour, "event": period.event})
    for document in [*plan.titles.documents.by_id.values(), *plan.exceptions]:
        bson.encode(document)
    documents = sum(len(bson.encode(document)) for document in plan.events.by_id.values())
    slack = pool.stored_bytes - documents - ITEM_BYTES * len(pool.items)
    assert 0 <= slack <= MOST_SLACK * len(pool.items)


@hostile
@given(body=bodies())
def test_b10_ingress_or_not_the_worker_and_verify_agree(body: Body) -> None:
    """A pipeline's own record has the verdict that the body has: dead, refused, or stored."""
    headers = [("content-type", body.content_type.encode())]
    pool = decode_analytics(Record(0, NOW, b"demo/ann", body.sent, headers), SIGNING)
    reading = read_pool(LogRecord(0, NOW, b"demo/ann", body.sent, headers), SIGNING, Limits())
    if isinstance(pool, Unreadable):
        assert reading.kind == "dead"
    else:
        assert isinstance(pool, Pool)
        assert reading.kind == ("countable" if pool.items else "refused")
        assert_storable(Record(0, NOW, b"demo/ann", body.sent, headers), pool)
