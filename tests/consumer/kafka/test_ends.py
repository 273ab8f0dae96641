"""Which ends of a partition count: only those that the verified leader reports."""

from aiokafka import TopicPartition

from consumer.kafka.ends import END_KNOWN_SECONDS, ConfirmedEnds, End

OURS = TopicPartition("records", 0)
OTHER = TopicPartition("records", 1)
END = End(7, 9)


class Clock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_an_end_counts_once_its_leader_is_confirmed() -> None:
    """It is unknown before, and the leader's value afterwards."""
    ends = ConfirmedEnds(Clock())
    assert ends.of(OURS) is None
    ends.confirm({OURS: END}, {OURS: 3}, {0: 3})
    assert END == ends.of(OURS)


def test_the_end_that_another_leader_told_is_unknown() -> None:
    """Its log may hold other records up to the same offset. The end that was known before is no longer true either."""
    ends = ConfirmedEnds(Clock())
    ends.confirm({OURS: END, OTHER: END}, {OURS: 3, OTHER: 3}, {0: 3, 1: 3})
    ends.confirm({OURS: END, OTHER: END}, {OURS: 3, OTHER: 3}, {0: 4, 1: 3})
    assert (None, END) == (ends.of(OURS), ends.of(OTHER))


def test_an_end_is_unknown_without_a_verified_epoch_or_a_leader() -> None:
    """The position was sought a moment ago, or the partition has no leader now."""
    ends = ConfirmedEnds(Clock())
    ends.confirm({OURS: END, OTHER: END}, {OTHER: 3}, {0: 3})
    assert (None, None) == (ends.of(OURS), ends.of(OTHER))


def test_an_end_is_known_for_some_seconds() -> None:
    """Then it must be confirmed again."""
    clock = Clock()
    ends = ConfirmedEnds(clock)
    ends.confirm({OURS: END}, {OURS: 3}, {0: 3})
    clock.seconds += END_KNOWN_SECONDS - 0.1
    assert END == ends.of(OURS)
    clock.seconds += 0.1
    assert ends.of(OURS) is None


def test_an_end_is_forgotten_with_its_partition() -> None:
    """Another position may belong to another log."""
    ends = ConfirmedEnds(Clock())
    ends.confirm({OURS: END}, {OURS: 3}, {0: 3})
    ends.drop(OURS)
    assert ends.of(OURS) is None
