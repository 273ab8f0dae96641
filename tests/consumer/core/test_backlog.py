"""A backlog's bounds, and the numbers of the policy."""

import pytest

from consumer.core.analytics.decode import Pool
from consumer.core.backlog import LARGE_BYTES, SLICE_BYTES, Backlog
from consumer.core.policy import FIRST_BACKOFF_SECONDS, backoff_seconds, lag_records, lag_seconds, may_fetch
from consumer.core.records import Origin, Record
from schemas.analytics.items import Item
from schemas.analytics.media import NO_MEDIA
from schemas.coordinates import PartitionId
from schemas.records.signing import SigningKeys
from tests.samples import KEYS

PARTITION = PartitionId("r1", 0)


def record(offset: int, size: int = 10) -> Record:
    return Record(offset, 1000 + offset, b"demo/ann", b"x" * size, [])


def backlog(max_records: int = 3, max_bytes: int = 100) -> Backlog:
    return Backlog(max_records, max_bytes, KEYS)


def test_an_empty_backlog_has_nothing_to_take() -> None:
    """It reports that it is empty."""
    empty = backlog()
    assert (empty.take(PARTITION, 0), empty.oldest_millis, empty.size_bytes) == (None, None, 0)
    assert empty.decode_some(5) == 0


def test_no_more_is_decoded_than_one_flush_may_hold() -> None:
    """By number; the rest waits raw, and comes with the next."""
    queue = backlog()
    queue.offer([record(offset) for offset in range(5)])
    assert queue.oldest_millis == 1000
    assert (queue.decode_some(2), queue.decode_some(2), queue.decode_some(2)) == (2, 1, 0)
    first = queue.take(PARTITION, 0)
    assert first
    assert (len(first.decoded), first.end, first.size_bytes, first.oldest_millis) == (3, 3, 30, 1000)
    assert (queue.size_bytes, queue.oldest_millis, queue.has_ready) == (20, 1003, False)
    assert queue.decode_some(9) == 2
    assert queue.oldest_millis == 1003


def test_a_flush_is_bounded_in_bytes_but_for_one_large_record() -> None:
    """A record larger than a flush gets its own flush, so a partition never stops."""
    queue = backlog(max_bytes=25)
    queue.offer([record(0, 30), record(1), record(2), record(3)])
    taken = []
    while queue.decode_some(9):
        flush = queue.take(PARTITION, 0)
        taken.append(len(flush.decoded) if flush else 0)
    assert taken == [1, 2, 1]


def pool_of(record: Record, _: SigningKeys) -> Pool:
    """As many items as the record has bytes."""
    item = Item(1, "A", None, {}, b"", 0)
    items = {str(number): item for number in range(len(record.value))}
    return Pool(Origin(record.offset, 0, 0, "demo", "ann"), None, NO_MEDIA, items, "")


@pytest.mark.parametrize(
    ("sizes", "flushes"), [([3, 3, 3, 3], [2, 2]), ([9, 1, 1], [1, 2]), ([0, 0, 4, 1, 1], [3, 2]), ([5] * 3, [1] * 3)]
)
def test_a_pool_weighs_as_many_as_it_has_items(sizes: list[int], flushes: list[int]) -> None:
    """It is never divided, an empty one weighs one, and no flush begins another once it is full."""
    queue = Backlog(5, 100, KEYS, pool_of)
    queue.offer([record(offset, size) for offset, size in enumerate(sizes)])
    taken = []
    while queue.decode_some(9):
        flush = queue.take(PARTITION, 0)
        taken.append(len(flush.decoded) if flush else 0)
    assert flushes == taken


def test_a_turn_of_decoding_ends_after_so_many_items() -> None:
    """Heartbeats wait for the end of a turn."""
    queue = Backlog(100, 100, KEYS, pool_of)
    queue.offer([record(offset, 4) for offset in range(5)])
    assert [8, 8, 4, 0] == [queue.decode_some(6) for _ in range(4)]


def pool_storing(record: Record, _: SigningKeys) -> Pool:
    """One item, which stores three times what the record has."""
    items = {"one": Item(1, "A", None, {}, b"", 0)}
    stored_bytes = len(record.value) * 3
    return Pool(Origin(record.offset, 0, 0, "demo", "ann"), None, NO_MEDIA, items, "", stored_bytes=stored_bytes)


@pytest.mark.parametrize(
    ("sizes", "flushes"),
    [([10, 10, 10, 10], [3, 1]), ([40, 5, 5], [1, 2]), ([20, 20, 5, 5], [1, 3]), ([30, 30], [1, 1])],
)
def test_a_flush_is_bounded_in_the_bytes_it_stores(sizes: list[int], flushes: list[int]) -> None:
    """What was decoded and no longer fits comes with the next, in its order; nothing is lost from sight meanwhile."""
    queue = Backlog(100, 100, KEYS, pool_storing)
    queue.offer([record(offset, size) for offset, size in enumerate(sizes)])
    taken: list[list[int]] = []
    waiting = sum(sizes)
    while queue.decode_some(9) or queue.has_ready:
        assert waiting == queue.size_bytes
        flush = queue.take(PARTITION, 0)
        assert flush
        waiting -= flush.size_bytes
        taken.append([one.offset for one in flush.records])
    assert flushes == [len(offsets) for offsets in taken]
    assert list(range(len(sizes))) == [offset for offsets in taken for offset in offsets]


def test_a_large_record_is_decoded_elsewhere_and_keeps_its_place() -> None:
    """Earlier records come first. It is dropped if the log is read again meanwhile."""
    queue = Backlog(100, 10 * LARGE_BYTES, KEYS, pool_storing)
    large = record(1, LARGE_BYTES + 1)
    queue.offer([record(0), large, record(2)])
    assert queue.next_large() is None
    assert (queue.decode_some(9), queue.decode_some(9)) == (1, 0)
    assert queue.next_large() is large
    queue.accept(large, pool_storing(large, KEYS))
    assert queue.decode_some(9) == 1
    flush = queue.take(PARTITION, 0)
    assert flush
    assert [one.offset for one in flush.records] == [0, 1, 2]
    queue.offer([large])
    assert queue.next_large() is large
    queue.clear()
    queue.accept(large, pool_storing(large, KEYS))
    queue.offer([record(1, LARGE_BYTES + 1)])
    queue.accept(large, pool_storing(large, KEYS))
    assert queue.take(PARTITION, 0) is None


def test_a_turn_of_decoding_ends_after_so_many_bytes() -> None:
    """However few records they are."""
    queue = Backlog(10**6, 10**9, KEYS, pool_storing)
    queue.offer([record(offset, LARGE_BYTES) for offset in range(20)])
    assert queue.decode_some(10**6) == SLICE_BYTES // LARGE_BYTES


def test_a_cleared_backlog_is_empty() -> None:
    """After a lost race everything is read again."""
    queue = backlog()
    queue.offer([record(offset) for offset in range(5)])
    queue.decode_some(2)
    queue.clear()
    assert (queue.size_bytes, queue.has_ready, queue.take(PARTITION, 0), queue.oldest_millis) == (0, False, None, None)


@pytest.mark.parametrize(("failures", "seconds"), [(1, 0.05), (2, 0.1), (3, 0.2), (8, 5.0), (10_000, 5.0)])
def test_pauses_double_up_to_a_limit(failures: int, seconds: float) -> None:
    """However long an outage lasts."""
    assert backoff_seconds(failures, 5.0) == pytest.approx(seconds)
    assert backoff_seconds(1, 5.0) == FIRST_BACKOFF_SECONDS


def test_a_full_worker_does_not_fetch() -> None:
    """The bound on its memory."""
    assert may_fetch(9, 10)
    assert not may_fetch(10, 10)


@pytest.mark.parametrize(("end", "next_offset", "lag"), [(None, 5, None), (5, 5, 0), (9, 5, 4), (3, 5, None)])
def test_lag_is_unknown_where_the_end_is_or_lies_before_the_checkpoint(
    end: int | None, next_offset: int, lag: int | None
) -> None:
    """Unknown is not none: the log may have been cut."""
    assert lag_records(end, next_offset) == lag


@pytest.mark.parametrize(("lag", "oldest", "seconds"), [(0, 1000, 0.0), (3, None, 0.0), (3, 1000, 4.0), (3, 9000, 0.0)])
def test_lag_seconds_is_the_age_of_the_oldest_waiting(lag: int, oldest: int | None, seconds: float) -> None:
    """0 when nothing waits, and never negative either."""
    assert lag_seconds(lag, oldest, 5000) == seconds
