"""The recount of the analytics topic, without any server: over what the worker's own core made of the same records."""

import asyncio
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.backlog import Backlog
from consumer.core.decode import decode_analytics
from consumer.core.records import Record
from consumer.memory import MemoryStore
from ops.verify.analytics.pools import PoolReading, read_pool
from ops.verify.analytics.recount import ItemRecount
from ops.verify.analytics.titles import Counted as CountedAs
from ops.verify.analytics.titles import Titles, apps_with_others
from ops.verify.order import Memory, Occurrence, counted_in_some_order
from ops.verify.reading import LogRecord
from ops.verify.report import (
    Differences,
    Range,
    Report,
    as_json,
    as_text,
    checkpoint_compared,
    counts_compared,
    minute_name,
)
from ops.verify.sources import minutes_of
from schemas.coordinates import Coordinates, PartitionId
from schemas.documents import CHECKPOINTS, EVENTS, EXCEPTIONS, PERIOD_COUNTS, TITLES, utc
from schemas.settings import Limits
from tests.consumer.flushes import apply_flush
from tests.examples import examples
from tests.samples import DAY, HOUR, KEYS, MINUTE, NOW, item, pool, sealed_pool

LIMITS = Limits(max_titles=2)
WINDOW = LIMITS.event_retention_seconds * 1000

Step = tuple[int, Record]
"""A partition, and its next record."""

FREES = -1
"""The partition of a step by which an operator frees the title that is the record's value."""


@dataclass
class Counted:
    """Records of two partitions, applied in some order, and the documents that the worker's core made of them."""

    steps: Sequence[Step]
    limits: Limits = LIMITS
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    forgets: bool = False
    """Whether MongoDB has removed all documents before each record is read, as it does behind a worker that is late."""

    def __post_init__(self) -> None:
        self.documents = asyncio.run(self._applied())

    async def _applied(self) -> dict[str, dict[str, Any]]:
        store = MemoryStore()
        for number, record in self.steps:
            if self.forgets:
                store.collections[EVENTS].clear()
            if number == FREES:
                free_title(store.collections[TITLES], record)
                continue
            where = PartitionId("r1", number)
            backlog = Backlog(10, 10**9, KEYS, decode_analytics)
            backlog.offer([record])
            backlog.decode_some(10)
            flush = backlog.take(where, (await store.claim(where, "test")).next_offset)
            assert flush
            await apply_flush(store, flush, self.limits, "analytics")
        return store.collections

    def log(self, number: int) -> list[Record]:
        return [record for partition, record in self.steps if partition == number]

    def ranges(self, first: int = 0) -> list[Range]:
        """Of partition 0, records below `first` are gone."""
        found = []
        for key, checkpoint in sorted(self.documents[CHECKPOINTS].items()):
            begin = first if key == "r1/00" else 0
            found.append(Range(key, "t", 0, begin, checkpoint["next"], whole=not begin))
        return found

    def recounted(self, first: int = 0, now: int = NOW + HOUR) -> tuple[ItemRecount, list[str]]:
        """As ops/verify/analytics/verify.py does it."""
        differences, ranges = Differences(), self.ranges(first)
        minutes = {k: n for hour in self.documents[PERIOD_COUNTS].values() for k, n in minutes_of(hour).items()}
        titles = Titles(self.documents[TITLES].values(), apps_with_others(minutes), differences)
        recount = ItemRecount(ranges, titles, WINDOW, differences)
        for stream, covered in enumerate(ranges):
            for record in self.log(int(covered.partition[-2:])):
                if record.offset >= covered.first:
                    says = self.documents[EXCEPTIONS].get(f"{covered.partition}/{record.offset}", {"fate": "applied"})
                    found = LogRecord(*record)
                    recount.add(stream, found, read_pool(found, KEYS, self.limits), says["fate"])
        for document in self.documents[EVENTS].values():
            recount.compare(document)
        recount.settle(now)
        whole = {one.partition for one in ranges if one.whole and not recount.unsure}
        expected = recount.minutes_beside(minutes)
        for one in counts_compared("period_counts", expected, minutes, lambda k: k[0] in whole, minute_name):
            differences.add(one)
        for covered, tally in zip(ranges, recount.fates.tallies, strict=True):
            for one in checkpoint_compared(covered, tally, self.documents[CHECKPOINTS][covered.partition]):
                differences.add(one)
        return recount, [str(one) for one in differences.shown]

    def differences(self, first: int = 0, now: int = NOW + HOUR) -> list[str]:
        return self.recounted(first, now)[1]

    def changed(self, change: Callable[[dict[str, Any]], object]) -> list[str]:
        """The differences after a change of the documents, which is taken back."""
        before = copy.deepcopy(self.documents)
        change(self.documents)
        found = self.differences()
        self.documents = before
        return found


def sent(offset: int, *items: Mapping[str, Any], days: float = 0, partition: int = 0, **more: Any) -> Step:  # noqa: ANN401
    return partition, sealed_pool(offset, pool(*items), time_millis=NOW + int(days * DAY), **more)


def frees(title: str, at_millis: int) -> Step:
    return FREES, Record(0, at_millis, None, title.encode(), [])


def free_title(documents: dict[str, Any], wanted: Record) -> None:
    """As ops/titles/store.py does it: from a time on that no record has that was counted before."""
    found = documents.get(f"demo/{wanted.value.decode()}")
    if found is not None and "freed" not in found:
        found["freed"] = utc(wanted.timestamp_millis)
        documents["demo"]["anonymous" if found["by"].startswith("demo/~") else "count"] -= 1


def place(steps: Step) -> str:
    return f"r1/{steps[0]:02}/{steps[1].offset}"


A, B, C = item("A"), item("B"), item("C")


def mixed() -> Counted:
    """Resent whole, resent with one more, refused, unreadable, in two partitions, past max_titles."""
    return Counted(
        [
            sent(0, A, B),
            sent(0, A, C, partition=1),
            sent(1, A, B),
            sent(2, A, B, item("D", NOW - HOUR)),
            sent(3, {"Event": "A"}),
            (0, Record(4, NOW, b"demo/ann", b"{", [])),
            sent(1, C, item("A", n=1), partition=1),
            sent(6, item("A", 4_315_435_114_000), item("B", NOW - 500 * DAY)),
        ]
    )


# Reading.


def test_a_pool_reads_as_its_items_with_the_minutes_they_count_in() -> None:
    """By the item's own time, or where that can't be right, when it was received."""
    (_, record) = sent(0, item("A", NOW - HOUR), item("B", NOW + HOUR), item("C", NOW - 401 * DAY))
    found = read_pool(LogRecord(*record), KEYS, LIMITS)
    assert ("countable", "demo", "ann") == (found.kind, found.app, found.player)
    now = NOW // MINUTE
    assert [("A", now - 60), ("B", now), ("C", now)] == [(one.title, one.minute) for one in found.items]


@pytest.mark.parametrize(("offset", "minutes"), [(300_000, 5), (300_001, 0), (-400 * DAY, -400 * 1440)])
def test_a6_the_recount_draws_the_line_where_the_worker_does(offset: int, minutes: int) -> None:
    """Equal to a limit passes."""
    (_, record) = sent(0, item("A", NOW + offset))
    (one,) = read_pool(LogRecord(*record), KEYS, LIMITS).items
    assert (NOW + minutes * MINUTE) // MINUTE == one.minute


def test_a_pool_is_refused_or_dead_as_the_worker_has_it() -> None:
    """A bad item, no item; no owner, and no JSON."""
    bad = sealed_pool(0, pool(A, {"Event": "B"}))
    assert "refused" == read_pool(LogRecord(*bad), KEYS, LIMITS).kind
    left = read_pool(LogRecord(*sealed_pool(0, pool(A, {"Event": "B"}), partial=True)), KEYS, LIMITS)
    assert ("countable", 1) == (left.kind, len(left.items))
    assert "refused" == read_pool(LogRecord(*sealed_pool(0, pool())), KEYS, LIMITS).kind
    assert PoolReading("dead") == read_pool(LogRecord(0, NOW, None, b"{}", []), KEYS, LIMITS)
    assert PoolReading("dead") == read_pool(LogRecord(0, NOW, b"demo/ann", b"{", []), KEYS, LIMITS)


# Orders.


def test_the_one_that_counted_last_shows_the_order() -> None:
    """0 d and 5 d in two partitions race; 9 d follows in the first. The window is 7 d."""
    early, late, other = Occurrence(0, 0, 0), Occurrence(0, 1, 9 * DAY), Occurrence(1, 0, 5 * DAY)
    streams = [[early, late], [other]]
    assert (early, late) == counted_in_some_order(streams, 7 * DAY, Memory(), late)
    assert (other,) == counted_in_some_order(streams, 7 * DAY, Memory(), other)
    assert counted_in_some_order(streams, 7 * DAY, Memory(), early) is None


def test_where_records_are_gone_each_may_count_or_not() -> None:
    """But the one that the document is from did, and within its window no other after it."""
    one, two = Occurrence(0, 3, 0), Occurrence(0, 4, DAY)
    assert (two,) == counted_in_some_order([[one, two]], 7 * DAY, Memory(unknown=True), two)
    assert (one,) == counted_in_some_order([[one, two]], 7 * DAY, Memory(unknown=True), one)


# The sums.


def test_a_mixed_load_has_no_difference() -> None:
    """Counts, documents, titles, fates and gaps."""
    recount, differences = mixed().recounted()
    assert [] == differences
    assert {"applied": 3, "duplicate": 1, "refused": 1, "dead": 1} == recount.fates.tallies[0].fates
    assert (5, 2) == (recount.fates.tallies[0].items, recount.fates.tallies[1].items)
    names = {event for _, _, event, _ in recount.minutes}
    assert {"A", "B", "(other)"} == names


def test_what_is_changed_by_hand_is_named() -> None:
    """A count, a document removed, added or altered, a title removed, its number, a fate, a gap."""
    counted = mixed()
    key = next(key for key, one in counted.documents[EVENTS].items() if one["from"] == "r1/01/0")
    hour = next(key for key in counted.documents[PERIOD_COUNTS] if key.endswith("/B/r1/00"))
    minute = next(iter(counted.documents[PERIOD_COUNTS][hour]["minutes"]))
    added = {**counted.documents[EVENTS][key], "_id": "demo/ann/" + "0" * 32}

    def first(change: Callable[[dict[str, Any]], object]) -> str:
        return counted.changed(change)[0]

    def more(documents: dict[str, Any]) -> None:
        documents[PERIOD_COUNTS][hour]["minutes"][minute] += 1

    def point(where: str | None, documents: dict[str, Any]) -> None:
        documents[EVENTS][key]["from"] = where

    assert first(more).startswith("period_counts demo, B, ")
    assert f"events {key}: found nothing, expected from r1/01/0 or a repeat" == first(lambda d: d[EVENTS].pop(key))
    assert first(lambda d: d[EVENTS].update({added["_id"]: added})) == (
        f"events {added['_id']}: found from r1/01/0, expected from a record that holds it, or nothing"
    )
    for wrong in ("r1/00/4", "nowhere", None):
        found = counted.changed(partial(point, wrong))
        assert f"events {key}: found from {wrong}, expected from a record that holds it, or nothing" == found[0]
    assert f"events {key}, event: found X, expected C" == first(lambda d: d[EVENTS][key].update(event="X"))
    assert first(lambda d: d[EVENTS][key].update(at=utc(1))).startswith(f"events {key}, at: found 1970-01-01")
    assert first(lambda d: d[EVENTS][key].update(receivedAt=utc(1))).startswith(f"events {key}, receivedAt: ")
    title = counted.changed(lambda d: d[TITLES].pop("demo/B"))
    assert "titles demo, count: found 2, expected 1" == title[0]
    assert any("demo, B" in one for one in title[1:])
    assert "titles demo, count: found 3, expected 2" == first(lambda d: d[TITLES]["demo"].update(count=3))
    assert first(lambda d: d[TITLES]["demo/A"].update({"from": "r1/00/6"})).startswith("period_counts demo, (other)")
    assert "titles demo/A: found from r1/00/1, expected from a record that holds it" in counted.changed(
        lambda d: d[TITLES]["demo/A"].update({"from": "r1/00/1"})
    )
    assert "titles demo/A: found from x, expected from a record that holds it" == first(
        lambda d: d[TITLES]["demo/A"].update({"from": "x"})
    )
    assert "record r1/00/1: found applied, expected duplicate" == first(lambda d: d[EXCEPTIONS].pop("r1/00/1"))
    assert "record r1/00/3: found applied, expected refused" == first(lambda d: d[EXCEPTIONS].pop("r1/00/3"))
    assert first(lambda d: d[CHECKPOINTS]["r1/00"].update(gaps=0)).startswith("checkpoint r1/00, gaps")
    assert first(lambda d: d[CHECKPOINTS]["r1/01"]["fates"].update(applied=9)).startswith("checkpoint r1/01, applied")
    assert [] == counted.differences()


def test_a_title_that_is_not_registered_while_there_is_room_is_named() -> None:
    """Its items are taken to have counted by its name, so that the count of them is no second difference."""
    counted = Counted([sent(0, A, B), sent(1, A, B, item("A", n=1))], Limits(max_titles=5))
    found = counted.changed(lambda d: (d[TITLES].pop("demo/B"), d[TITLES]["demo"].update(count=1)))
    assert ["titles demo/B: found nothing, expected registered, by r1/00/0 or before"] == found


def test_a_title_registered_later_did_not_exist_before() -> None:
    """As where max_titles was raised: items before its registration count as `(other)`, those after it by the name."""
    differences = Differences()
    registry = Titles([{"_id": "demo", "count": 1}, {"_id": "demo/C", "from": "r1/00/2"}], {"demo"}, differences)
    places = [Coordinates("r1", 0, 1), Coordinates("r1", 0, 2), Coordinates("r1", 1, 0)]
    found = [registry.counted("demo", "C", place, NOW) for place in places]
    assert [CountedAs("(other)"), CountedAs("C"), CountedAs("C", sure=False)] == found
    assert 0 == differences.total


# An item counts once, and again after its retention.


def test_a11_an_item_counts_again_once_it_is_forgotten() -> None:
    """By the records' own times; its document is then from the later record."""
    kept = WINDOW / DAY
    counted = Counted([sent(0, A), sent(1, A, days=kept), sent(2, A, days=kept + 0.1)])
    now = NOW + WINDOW + DAY
    recount, differences = counted.recounted(now=now)
    assert ([], 2) == (differences, recount.minutes.total())
    (document,) = counted.documents[EVENTS].values()
    document["from"] = "r1/00/0"
    document["receivedAt"] = utc(NOW)
    assert counted.differences(now=now)[0].startswith(f"events {document['_id']}: found from r1/00/0")


def test_a_document_past_its_time_may_be_gone() -> None:
    """MongoDB removes it; one that isn't yet is fine too."""
    counted = Counted([sent(0, A)])
    assert [] == counted.differences(now=NOW + WINDOW + DAY)
    counted.documents[EVENTS].clear()
    assert [] == counted.differences(now=NOW + WINDOW + DAY)
    assert 1 == len(counted.differences(now=NOW + WINDOW - DAY))


def test_an_item_that_was_forgotten_before_a_late_worker_read_its_repeat_is_told() -> None:
    """Later than Kafka's retention, that is, or by other hands: such a repeat counts a second time."""
    counted = Counted([sent(0, A), sent(1, A, days=WINDOW / DAY - 1)], forgets=True)
    now = NOW + WINDOW + DAY
    found = counted.differences(now=now)
    (key,) = counted.documents[EVENTS]
    assert f"events {key}: found from r1/00/1, expected from r1/00/0" == found[0]
    assert any(one.startswith("period_counts demo, A, ") and "found 2, expected 1" in one for one in found)


def test_mongodb_says_which_of_two_partitions_an_item_counted_in() -> None:
    """If some order makes it possible: the second of a partition can't have been first."""
    for steps in ([sent(0, A), sent(0, A, partition=1)], [sent(0, A, partition=1), sent(0, A)]):
        counted = Counted(steps)
        recount, differences = counted.recounted()
        assert ([], {place(steps[0])[:5]}) == (differences, {key[0] for key in recount.minutes})
    counted = Counted([sent(0, A, partition=1), sent(0, A), sent(1, A)])
    (document,) = counted.documents[EVENTS].values()
    document["from"] = "r1/00/1"
    (found, *_) = counted.differences()
    assert found.startswith(f"events {document['_id']}: found from r1/00/1, expected counted once in 7776000 s")


def test_an_item_that_counted_past_the_snapshot_is_no_difference() -> None:
    """Its document may name a later record. Whether that one was applied is checked."""
    counted = Counted([sent(0, A)])
    (document,) = counted.documents[EVENTS].values()
    document["from"] = "r1/00/7"
    recount, differences = counted.recounted()
    assert ([], {"r1/00": 7}) == (differences, recount.beyond)


def test_a_readable_pool_that_mongodb_could_not_hold_was_set_aside() -> None:
    """It counts nothing, and its items may count later."""
    counted = Counted([sent(0, A), sent(1, B)])
    counted.documents[EXCEPTIONS]["r1/00/1"] = {"fate": "dead"}
    key = next(key for key, one in counted.documents[EVENTS].items() if one["event"] == "B")
    assert counted.differences()[0].startswith(f"events {key}: found from r1/00/1")
    recount, _ = counted.recounted()
    assert (1, 1) == (recount.fates.set_aside, recount.fates.tallies[0].fates["dead"])


def test_a11_another_event_under_a_used_id_is_no_difference() -> None:
    """The first counts, in whichever partition it came first, and the other not."""
    other = item("A", NOW - HOUR, n=1)
    steps = [sent(0, A, B, request_id="r"), sent(1, other, B, C, request_id="r")]
    for more in ([sent(0, C, other, request_id="r", partition=1)], []):
        for order in ([*steps, *more], [*more, *steps]):
            recount, differences = Counted(order, Limits()).recounted()
            assert ([], 3) == (differences, recount.minutes.total())


# Where records are gone.


def test_where_records_are_gone_what_documents_vouch_for_is_counted() -> None:
    """Counts are compared as at least; what repeats a record that is gone is a duplicate."""
    counted = mixed()
    recount, differences = counted.recounted(first=1)
    assert [] == differences
    assert 0 == recount.unsure
    counted.documents[PERIOD_COUNTS].clear()
    assert any("expected at least 1" in one for one in counted.differences(first=1))


def test_where_records_are_gone_a_missing_document_is_named_or_unsure() -> None:
    """One of an item that can't have been sent before its retention began must be there."""
    counted = Counted([sent(0, B), sent(1, A, item("C", NOW - WINDOW - DAY))])
    kept = {one["event"]: key for key, one in counted.documents[EVENTS].items()}
    del counted.documents[EVENTS][kept["A"]], counted.documents[EVENTS][kept["C"]]
    recount, differences = counted.recounted(first=1)
    assert [f"events {kept['A']}: found nothing, expected from r1/00/1 or a repeat"] == differences
    assert 2 == recount.unsure
    assert {kept["A"], kept["C"]} == set(recount.unmarked())
    report = Report(counted.ranges(1), recount.fates.tallies, Differences(), 0, 0.1, recount.unsure)
    assert "2 items may have been counted by records that are no longer in the log" in as_text(report)
    assert (2, None) == (as_json(report)["unsure"], as_json(report)["ranges"][0]["items"])


@st.composite
def logs(draw: st.DrawFn) -> list[Step]:
    """Pools of few different items in two partitions, in one order. Times increase within a partition.

    They cover more than the items' retention, or documents could not show which of them counted.
    """
    is_long = draw(st.booleans())
    gaps = [0, DAY, WINDOW // 2, WINDOW + 1] if is_long else [0, DAY]
    items = st.builds(item, st.sampled_from("ABCD"), st.sampled_from([NOW, NOW - HOUR, NOW + DAY]), n=st.integers(0, 1))
    steps: list[Step] = []
    offsets, times = [0, 0], [NOW, NOW]
    for _ in range(draw(st.integers(1, 9))):
        number = draw(st.integers(0, 1))
        times[number] += draw(st.sampled_from(gaps))
        offsets[number] += draw(st.integers(0, 1))
        body = pool(*draw(st.lists(items, max_size=1 if is_long else 3)))
        request_id = draw(st.none() | st.sampled_from("xy"))
        steps.append((number, sealed_pool(offsets[number], body, request_id=request_id, time_millis=times[number])))
        offsets[number] += 1
    return steps


@settings(max_examples=examples(60))
@given(logs())
def test_any_order_of_two_partitions_recounts_without_a_difference(steps: list[Step]) -> None:
    """What the worker's core made of it, whichever partition was first."""
    times = [record.timestamp_millis for _, record in steps]
    assert [] == Counted(steps).differences(now=max(times) + HOUR)


SHARES = Limits(max_titles=2, max_titles_per_player=1, max_anonymous_titles=1)


@st.composite
def crowds(draw: st.DrawFn) -> list[Step]:
    """Players and anonymous actors with more titles than there is room for, in two partitions, and titles freed.

    Partitions lag behind each other by minutes; a title is freed from a time on that is later than all counted so far.
    """
    steps: list[Step] = []
    offsets, times = [0, 0], [NOW, NOW]
    for _ in range(draw(st.integers(1, 12))):
        number = draw(st.integers(FREES, 1))
        if number == FREES:
            steps.append(frees(draw(st.sampled_from("ABC")), max(times) + 1))
            continue
        times[number] += draw(st.sampled_from([0, 1, MINUTE]))
        items = (item(draw(st.sampled_from("ABCDE")), n=f"{number}.{offsets[number]}.{i}") for i in range(2))
        player = draw(st.sampled_from(["ann", "bob", "~x", "~y"]))
        steps.append((number, sealed_pool(offsets[number], pool(*items), player=player, time_millis=times[number])))
        offsets[number] += 1
    return steps


@settings(max_examples=examples(200))
@given(crowds())
def test_any_order_of_shares_and_freed_titles_recounts_without_a_difference(steps: list[Step]) -> None:
    """Whatever is registered, promoted, freed and registered again."""
    assert [] == Counted(steps, SHARES).differences()


def test_titles_past_their_share_recount_without_a_difference() -> None:
    """Also those that would have room by now: an anonymous title was promoted, one was freed, a limit was raised."""
    steps = [
        sent(0, item("J1"), player="~x"),
        sent(1, item("J2", n=1), player="~y"),
        sent(2, item("J1", n=2)),
        sent(3, A, player="bob"),
        sent(4, item("B", n=3), player="bob"),
        sent(5, item("B", n=4), player="cid"),
        frees("A", NOW + 1),
        sent(0, item("B", n=5), days=1, player="cid", partition=1),
        sent(6, item("A", n=6), days=1, player="bob"),
    ]
    counted = Counted(steps, SHARES)
    titles = {key: one.get("by", "") for key, one in counted.documents[TITLES].items()}
    assert {"demo": "", "demo/J1": "demo/ann", "demo/A": "demo/bob", "demo/B": "demo/cid"} == titles
    assert [] == counted.differences()
    counted.limits = Limits()
    assert [] == counted.differences()


def test_a_registration_that_was_changed_by_hand_is_named() -> None:
    """Of a freed title too, and of a promoted one."""
    counted = Counted([sent(0, A, player="~x"), sent(1, item("A", n=1)), sent(2, B)])

    def first(change: Callable[[dict[str, Any]], object]) -> str:
        return counted.changed(change)[0]

    assert "titles demo, anonymous: found 1, expected 0" == first(lambda d: d[TITLES]["demo"].update(anonymous=1))
    assert "titles demo, count: found 2, expected 1" == first(lambda d: d[TITLES]["demo/A"].update(freed=utc(NOW)))
    for wrong in ("r1/00/2", "x", 7):
        found = counted.changed(lambda d, wrong=wrong: d[TITLES]["demo/A"].update(promoted=wrong))  # type: ignore[misc]
        told = f"promoted {wrong}" if wrong != "r1/00/2" else f"from {wrong}"
        assert f"titles demo/A: found {told}, expected from a record that holds it" in found
    earlier = {"from": "r1/00/2", "freed": utc(NOW)}
    assert "titles demo/A: found from r1/00/2, expected from a record that holds it" in counted.changed(
        lambda d: d[TITLES]["demo/A"].update(earlier=[earlier])
    )


def test_an_item_that_may_be_one_of_the_others_is_counted_as_mongodb_says() -> None:
    """Where the order of two partitions decides; but it must count as either."""
    steps = [sent(0, B, C, partition=1), sent(1, A, partition=1), sent(0, item("B", n=1), item("A", n=1))]
    counted = Counted(steps, Limits(max_titles=2))

    def add(event: str, partition: int, number: int, documents: dict[str, Any]) -> None:
        hour = next(one for key, one in documents[PERIOD_COUNTS].items() if key.endswith(f"/{event}/r1/{partition:02}"))
        hour["count"] += number
        hour["minutes"] = {minute: count + number for minute, count in hour["minutes"].items()}

    def moved(partition: int, others: int) -> list[str]:
        def change(documents: dict[str, Any]) -> None:
            add("B", partition, -1, documents)
            add("(other)", partition, others, documents)

        return counted.changed(change)

    assert [] == counted.differences() == moved(0, 1)
    assert 1 == len(moved(0, 0))
    assert 2 == len(moved(1, 1)), "in its own partition the order is known"


@settings(max_examples=examples(60))
@given(logs(), st.integers(1, 4))
def test_a_log_whose_beginning_is_gone_recounts_without_a_difference(steps: list[Step], first: int) -> None:
    """Nothing is claimed that the rest of the log, and the documents, don't show."""
    counted = Counted(steps)
    times = [record.timestamp_millis for _, record in steps]
    if counted.log(0):
        first = min(first, counted.documents[CHECKPOINTS]["r1/00"]["next"])
        assert [] == counted.differences(first=first, now=max(times) + HOUR)
