"""The book-keeping of waiting requests, against the plainest one: a list, of which every round looks at all."""

import asyncio
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.delivery.waiters import NOTHING_KNOWN, Waiter, Waiters
from schemas.coordinates import Coordinates, PartitionId

PARTITIONS = [PartitionId(lineage, number) for lineage in ("r1", "r2") for number in range(2)]


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with asyncio.Runner() as runner:
        yield runner.get_loop()


class Plain:
    """The list."""

    def __init__(self) -> None:
        self.waiters: list[Waiter] = []

    def take_due(self, checkpoints: Mapping[PartitionId, int], now: float) -> tuple[list[Waiter], list[Waiter]]:
        passed = [
            one for one in self.waiters if checkpoints.get(one.coordinates.partition_id, 0) > one.coordinates.offset
        ]
        late = [one for one in self.waiters if one not in passed and one.deadline <= now]
        self.waiters = [one for one in self.waiters if one not in passed and one not in late]
        return passed, late


waits = st.tuples(st.sampled_from(PARTITIONS), st.integers(0, 5), st.integers(0, 4))
rounds = st.tuples(
    st.lists(waits, max_size=6), st.dictionaries(st.sampled_from(PARTITIONS), st.integers(0, 6)), st.booleans()
)


@given(st.lists(rounds, max_size=8))
def test_the_same_waiters_are_due_as_in_a_list_that_is_searched(
    loop: asyncio.AbstractEventLoop, made: list[tuple[list[tuple[PartitionId, int, int]], dict[PartitionId, int], bool]]
) -> None:
    waiters, plain = Waiters(), Plain()
    for now, (new, checkpoints, all_end) in enumerate(made):
        for partition, offset, seconds in new:
            one = Waiter(Coordinates(*partition, offset), None, float(now + seconds), loop.create_future())
            waiters.add(one)
            plain.waiters.append(one)
        assert waiters.lineages() == {one.coordinates.lineage for one in plain.waiters}
        if all_end:
            assert same(waiters.take_all(), plain.waiters)
            plain.waiters = []
        due, expected = waiters.take_due(checkpoints, now), plain.take_due(checkpoints, now)
        assert same(due.passed, expected[0])
        assert same(due.late, expected[1])
        assert len(waiters) == len(plain.waiters)
        assert bool(waiters) is bool(plain.waiters)


def same(found: list[Waiter], expected: list[Waiter]) -> bool:
    return sorted(map(id, found)) == sorted(map(id, expected))


def test_a_round_looks_only_at_the_waiters_that_it_answers(loop: asyncio.AbstractEventLoop) -> None:
    class Counting(float):
        looked_at = 0

        def __le__(self, other: float) -> bool:
            Counting.looked_at += 1
            return super().__le__(other)

    waiters = Waiters()
    for offset in range(1_000):
        waiters.add(Waiter(Coordinates("r1", 0, offset), None, Counting(9), loop.create_future()))
    for now in range(8):
        (answered,), _ = waiters.take_due({PartitionId("r1", 0): now + 1}, now)
        answered.resolve(NOTHING_KNOWN)
    assert Counting.looked_at <= 8
    assert len(waiters.take_due({}, 9).late) == 992
