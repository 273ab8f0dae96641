"""Which partitions no worker reads."""

from hypothesis import given
from hypothesis import strategies as st

from consumer.core.unread import STANDS_SECONDS, PartitionProgress, UnreadPartitions

LOOKS = st.builds(PartitionProgress, st.integers(0, 5), st.integers(0, 9), st.none() | st.integers(0, 9))


def progress(end: int, next_offset: int | None, begin: int = 0) -> dict[int, PartitionProgress]:
    return {7: PartitionProgress(begin, end, next_offset)}


def test_a_new_partition_that_nobody_has_taken_is_unread_at_once() -> None:
    """Its records wait since it has some; an empty one is no matter."""
    unread = UnreadPartitions()
    assert {} == unread.update(progress(0, None), 0)
    assert {7: 120} == unread.update(progress(120, None), 1)
    assert {} == unread.update(progress(120, 120), 2)


def test_a_checkpoint_that_stands_is_unread_when_it_has_stood_long_enough() -> None:
    """A worker that is at work moves it; one that is dead doesn't."""
    unread = UnreadPartitions()
    assert {} == unread.update(progress(10, 5), 0)
    assert {} == unread.update(progress(20, 6), STANDS_SECONDS)
    assert {} == unread.update(progress(20, 6), 2 * STANDS_SECONDS - 1)
    assert {7: 24} == unread.update(progress(30, 6), 2 * STANDS_SECONDS)
    assert {} == unread.update(progress(30, 7), 2 * STANDS_SECONDS + 1)


def test_time_without_records_is_no_standing() -> None:
    """A checkpoint may rest for days. The time counts from the first record after that."""
    unread = UnreadPartitions()
    assert {} == unread.update(progress(5, 5), 0)
    assert {} == unread.update(progress(6, 5), 10 * STANDS_SECONDS)


def test_removed_records_do_not_wait() -> None:
    """Retention took them: that is a loss, not a lag."""
    assert 3 == PartitionProgress(begin=7, end=10, next_offset=2).waiting
    assert 0 == PartitionProgress(begin=7, end=7, next_offset=None).waiting


@given(st.lists(st.dictionaries(st.integers(0, 3), LOOKS), min_size=1))
def test_a_partition_without_records_is_never_unread_and_one_nobody_took_always(
    looks: list[dict[int, PartitionProgress]],
) -> None:
    """Whatever was seen before."""
    unread = UnreadPartitions()
    for second, found in enumerate(looks):
        told = unread.update(found, second * STANDS_SECONDS / 3)
        assert all(found[p].waiting == records > 0 for p, records in told.items())
        assert {p for p, one in found.items() if one.next_offset is None and one.waiting} <= told.keys()
