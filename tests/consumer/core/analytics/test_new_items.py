"""Pools of AddEvent in a flush: which items are new, what is stored, what counts."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.backlog import Backlog
from consumer.core.decode import decode_analytics
from consumer.core.records import Record
from consumer.memory import MemoryStore
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS, DEAD_LETTERS, EVENTS, EXCEPTIONS, PERIOD_COUNTS, TITLES, utc
from schemas.settings import Limits
from tests.consumer.flushes import apply_flush
from tests.samples import DAY, HOUR, KEYS, MINUTE, NOW, item, pool, sealed_pool

PARTITION = PartitionId("a1", 0)
LIMITS = Limits(max_titles=2)


async def flushed(store: MemoryStore, records: Sequence[Record], start: int, limits: Limits, number: int) -> None:
    backlog = Backlog(10_000, 10**9, KEYS, decode_analytics)
    backlog.offer(records)
    backlog.decode_some(10_000)
    flush = backlog.take(PartitionId("a1", number), start)
    assert flush
    await apply_flush(store, flush, limits, "analytics")


def applied(*records: Record, flushes: int = 1, limits: Limits = LIMITS) -> dict[str, Any]:
    """The documents after so many flushes of one partition."""

    async def run() -> dict[str, Any]:
        store = MemoryStore()
        for i in range(flushes):
            part = records[i * len(records) // flushes : (i + 1) * len(records) // flushes]
            start = (await store.claim(PARTITION, "test")).next_offset
            if part:
                await flushed(store, part, start, limits, 0)
        return store.collections

    return asyncio.run(run())


def counts(documents: dict[str, Any]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for hour in documents[PERIOD_COUNTS].values():
        assert hour["count"] == sum(hour["minutes"].values())
        assert hour["source"] == "analytics"
        totals[hour["event"]] += hour["count"]
    return dict(totals)


def test_an_item_is_stored_as_it_was_sent_and_counts_in_its_own_minute() -> None:
    """With the film it belongs to, its request, and where it came from."""
    sent = {**item("View", NOW - HOUR, **{"$ref": "x", "a.b": [1]}), "Session": "s"}
    record = sealed_pool(0, pool(sent, mediaInfo="eyJhIjoxfQ"), request_id="r", time_millis=NOW + 5)
    documents = applied(record)
    (event,) = documents[EVENTS].values()
    assert {
        "_id": event["_id"],
        "app": "demo",
        "actor": "ann",
        "anonymous": False,
        "at": utc(NOW - HOUR),
        "event": "View",
        "data": {"$ref": "x", "a.b": [1]},
        "extra": {"Session": "s"},
        "media": {"a": 1},
        "requestId": "r",
        "digest": event["digest"],
        "receivedAt": utc(NOW + 5),
        "from": "a1/00/0",
    } == event
    assert event["_id"].startswith("demo/ann/")
    (hour,) = documents[PERIOD_COUNTS].values()
    assert {f"{(NOW - HOUR) // MINUTE % 60:02}": 1} == hour["minutes"]


def test_a7_media_that_can_not_be_decoded_is_kept_and_an_anonymous_actor_is_marked() -> None:
    """As it was sent."""
    (event,) = applied(sealed_pool(0, pool(item(), mediaInfo="???"), player="~x"))[EVENTS].values()
    assert ("???", True) == (event["mediaRaw"], event["anonymous"])


@pytest.mark.parametrize(
    ("at", "clock", "counted_at"),
    [
        (NOW + 300_000, None, NOW + 300_000),
        (NOW + 300_001, "future", NOW),
        (NOW - 400 * DAY, None, NOW - 400 * DAY),
        (NOW - 400 * DAY - 1, "old", NOW),
        (4_315_435_114_000, "future", NOW),
    ],
)
def test_a6_an_impossible_clock_is_marked_and_counts_when_it_was_received(
    at: int, clock: str | None, counted_at: int
) -> None:
    """`at` is kept as sent; equal to a limit passes."""
    documents = applied(sealed_pool(0, pool(item(at_millis=at))))
    (event,) = documents[EVENTS].values()
    (hour,) = documents[PERIOD_COUNTS].values()
    assert (utc(at), clock) == (event["at"], event.get("clock"))
    assert utc(counted_at // HOUR * HOUR) == hour["hour"]


def test_a11_a_pool_sent_again_registers_nothing_and_one_with_more_only_that() -> None:
    """Duplicate is the fate of a pool without a new item."""
    a, b, c = item("A"), item("B"), item("A", n=1)
    documents = applied(
        sealed_pool(0, pool(a, b)), sealed_pool(1, pool(a, b)), sealed_pool(2, pool(a, b, c)), flushes=2
    )
    assert {"A": 2, "B": 1} == counts(documents)
    assert 3 == len(documents[EVENTS])
    (checkpoint,) = documents[CHECKPOINTS].values()
    assert {"applied": 2, "duplicate": 1, "refused": 0, "dead": 0} == checkpoint["fates"]
    assert "ALREADY_UPDATED" == documents[EXCEPTIONS]["a1/00/1"]["cause"]


def test_a11_an_item_is_known_as_long_as_events_are_kept() -> None:
    """By the records' own times; the document of one forgotten is replaced."""
    kept = LIMITS.event_retention_seconds * 1000
    times = [0, kept, kept + 1]
    records = [sealed_pool(i, pool(item("A")), time_millis=NOW + time) for i, time in enumerate(times)]
    for flushes in (1, 3):
        documents = applied(*records, flushes=flushes)
        assert ({"A": 2}, 1) == (counts(documents), len(documents[EVENTS]))
        assert ["a1/00/1"] == list(documents[EXCEPTIONS]), "the second is the duplicate"


def told(documents: dict[str, Any]) -> dict[str, Any]:
    """What exceptions say: fate, cause and places."""
    found = documents[EXCEPTIONS].items()
    return {key: (one["fate"], one["cause"], one.get("differing")) for key, one in found}


@pytest.mark.parametrize("flushes", [1, 4])
def test_a11_another_event_under_a_used_id_is_told(flushes: int) -> None:
    """It isn't registered. It is reported even if its pool is applied; a repeat of the first is a duplicate."""
    a, b, c, other = item("A"), item("B"), item("C"), item("A", n=1)
    records = [
        sealed_pool(0, pool(a, b), request_id="r"),
        sealed_pool(1, pool(other, b), request_id="r"),
        sealed_pool(2, pool(a, {}, c), request_id="r", partial=True),
        sealed_pool(3, pool(b, a, a, c), request_id="r"),
    ]
    documents = applied(*records, flushes=flushes, limits=Limits())
    assert {
        "a1/00/1": ("duplicate", "PAYLOAD_DIFFERS", [0]),
        "a1/00/3": ("applied", "PAYLOAD_DIFFERS", [0, 1, 2]),
    } == told(documents)
    assert {"A": 1, "B": 1, "C": 2} == counts(documents)
    (checkpoint,) = documents[CHECKPOINTS].values()
    assert {"applied": 3, "duplicate": 1, "refused": 0, "dead": 0} == checkpoint["fates"]


def test_a11_of_many_that_differ_the_first_are_named() -> None:
    """An exception is no second copy of a pool."""
    first, second = (pool(*(item("A", n=n) for n in range(begin, begin + 500))) for begin in (0, 1))
    documents = applied(sealed_pool(0, first, request_id="r"), sealed_pool(1, second, request_id="r"))
    assert {"a1/00/1": ("duplicate", "PAYLOAD_DIFFERS", list(range(10)))} == told(documents)


async def test_a11_a_document_without_a_digest_tells_nothing_apart() -> None:
    """One written before there were any, for as long as it is kept. Spelt otherwise an event is the same."""
    store = MemoryStore()
    await store.claim(PARTITION, "test")
    same = {"timestamp": NOW, "EVENT": " A", "data": {"n": 1}}
    await flushed(store, [sealed_pool(0, pool(item("A", n=1)), request_id="r")], 0, LIMITS, 0)
    await flushed(store, [sealed_pool(1, pool(same), request_id="r")], 1, LIMITS, 0)
    (event,) = store.collections[EVENTS].values()
    del event["digest"]
    await flushed(store, [sealed_pool(2, pool(item("B")), request_id="r")], 2, LIMITS, 0)
    assert {"ALREADY_UPDATED"} == {one["cause"] for one in store.collections[EXCEPTIONS].values()}


def test_a11_another_event_is_a_new_one_once_the_first_is_forgotten() -> None:
    """Then the first event is no longer known."""
    later = NOW + LIMITS.event_retention_seconds * 1000 + 1
    records = [sealed_pool(0, pool(item("A")), request_id="r")]
    records.append(sealed_pool(1, pool(item("B")), request_id="r", time_millis=later))
    documents = applied(*records)
    assert ({}, {"A": 1, "B": 1}) == (told(documents), counts(documents))


def test_a10_a_bad_item_refuses_the_record_unless_an_ingress_left_it_out() -> None:
    """The cause names item and field."""
    body = pool(item("A"), {"Event": "B"})
    documents = applied(sealed_pool(0, body), sealed_pool(1, body, partial=True), sealed_pool(2, pool()))
    assert {"A": 1} == counts(documents)
    causes = {key: found["cause"] for key, found in documents[EXCEPTIONS].items()}
    assert {"a1/00/0": "eventData[1].Timestamp: is required", "a1/00/2": "EMPTY"} == causes


def test_past_max_titles_further_ones_count_as_other() -> None:
    """The first ones keep their names, in this flush and in later ones; nothing is dropped."""
    titles = ["A", "B", "C", "A", "D", "B"]
    records = [sealed_pool(i, pool(item(title, n=i))) for i, title in enumerate(titles)]
    for flushes in (1, 2, 6):
        documents = applied(*records, flushes=flushes)
        assert {"A": 2, "B": 2, "(other)": 2} == counts(documents)
        assert {"demo/A", "demo/B", "demo"} == set(documents[TITLES])
        assert ("a1/00/1", 2) == (documents[TITLES]["demo/B"]["from"], documents[TITLES]["demo"]["count"])
        assert ["A", "B", "C", "A", "D", "B"] == [event["event"] for event in documents[EVENTS].values()]


def test_records_nobody_can_read_are_set_aside() -> None:
    """No owner, and no batch."""
    documents = applied(Record(0, NOW, None, b"{}", []), Record(1, NOW, b"demo/ann", b"{", []))
    reasons = [letter["reason"] for letter in documents[DEAD_LETTERS].values()]
    assert ["no app and player: key", "not a batch: a key in double quotes is expected: line 1 column 2"] == reasons


def test_a_raw_record_names_its_owner_by_its_key_and_its_request_in_its_body() -> None:
    """A pipeline that produces by itself, JSON or form."""
    raw = Record(0, NOW, b"demo/ann", pool(item("A"), requestId="r"), [])
    form = Record(
        1, NOW, b"demo/ann", b"eventData=%5B%7B%22Timestamp%22%3A1790000000%2C%22Event%22%3A%22B%22%7D%5D", []
    )
    documents = applied(raw, form)
    assert {"A": 1, "B": 1} == counts(documents)
    assert ["r", None] == [event.get("requestId") for event in documents[EVENTS].values()]


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """Pools of few different items, so that they repeat in requests and between them."""
    items = st.builds(item, st.sampled_from("ABCD"), st.sampled_from([NOW, NOW - HOUR]), n=st.integers(0, 1))
    records = []
    for offset in range(draw(st.integers(1, 8))):
        record_id, body = draw(st.none() | st.sampled_from("xy")), pool(*draw(st.lists(items, max_size=4)))
        time = NOW + draw(st.integers(0, 2)) * 60 * DAY
        records.append(sealed_pool(offset, body, request_id=record_id, time_millis=time))
    return records


@given(logs(), st.integers(1, 8))
def test_any_split_of_pools_leaves_the_same_documents(records: list[Record], flushes: int) -> None:
    """And every event stored counts once."""
    whole, split = applied(*records), applied(*records, flushes=flushes)
    assert whole == split
    assert sum(counts(whole).values()) >= len(whole[EVENTS])
