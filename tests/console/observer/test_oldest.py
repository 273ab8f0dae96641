"""The search for the oldest uncounted records: what is asked for, and how often."""

import asyncio
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from console.observer import oldest
from console.observer.oldest import ROUNDS, OldestRecords
from console.observer.requests import Partition
from tests.console.observer.test_requests import batch


class Log:
    """Brokers whose partitions have one batch each, of one record. `sizes`: bytes of a batch, by partition."""

    def __init__(self, sizes: dict[Partition, int], seconds: float = 0) -> None:
        self.sizes = sizes
        self.asked: list[list[Partition]] = []
        self.seconds = seconds
        self.silent = False

    async def ask_leaders(self, _leaders: Any, wanted: Iterable[Partition], request: Callable[..., Any]) -> list[Any]:  # noqa: ANN401 aiokafka's
        partitions = list(wanted)
        self.asked.append(partitions)
        if self.silent:
            return []
        await asyncio.sleep(self.seconds)
        sent = {(name, number): most for name, rows in request(partitions).topics for number, _, most in rows}
        first = partitions[0]
        rows: dict[str, list[Any]] = {}
        for (name, number), most in sent.items():
            fits = (name, number) == first or self.sizes[name, number] <= most
            rows.setdefault(name, []).append((number, 0, 9, 9, 0, None, batch(7, [number]) if fits else b""))
        return [SimpleNamespace(topics=list(rows.items()))]


async def test_a_checkpoint_that_stands_still_is_asked_for_once() -> None:
    """The time of a record never changes. One that moved is asked for again."""
    log = Log({("t", 1): 10, ("t", 2): 10})
    found = OldestRecords(log)  # type: ignore[arg-type]  # brokers of this test
    assert {("t", 1): 1, ("t", 2): 2} == await found.find({}, {("t", 1): 7, ("t", 2): 7})
    assert {("t", 1): 1} == await found.find({}, {("t", 1): 7})
    assert 1 == len(log.asked)
    await found.find({}, {("t", 1): 7, ("t", 2): 6})
    assert [("t", 2)] == log.asked[-1]
    log.silent = True
    assert {("t", 2): 2} == await found.find({}, {("t", 1): 8, ("t", 2): 6}), "no time of another record"
    log.silent = False
    found.forget()
    await found.find({}, {("t", 1): 7})
    assert [("t", 1)] == log.asked[-1]


async def test_large_batches_are_asked_for_again_fewer_at_a_time() -> None:
    """A broker sends one that is larger than was asked for only if it is the first."""
    huge = max(size for size, _ in ROUNDS) * 2
    log = Log({("t", number): huge for number in range(3)})
    found = await OldestRecords(log).find({}, {("t", number): 7 for number in range(3)})  # type: ignore[arg-type]  # the same
    assert {("t", 0): 0, ("t", 1): 1, ("t", 2): 2} == found
    assert [3, 2, 1] == [len(partitions) for partitions in log.asked]


async def test_a_search_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In partitions, and in time: what was found until then counts, the rest is unknown."""
    log = Log({("t", number): 10 for number in range(500)})
    await OldestRecords(log).find({}, {("t", number): 7 for number in range(500)})  # type: ignore[arg-type]  # the same
    assert ROUNDS[0][1] == len(log.asked[0])
    assert len(ROUNDS) >= len(log.asked)
    monkeypatch.setattr(oldest, "SEARCH_SECONDS", 0.01)
    log.seconds = 3_600
    assert {} == await OldestRecords(log).find({}, {("t", 1): 7})  # type: ignore[arg-type]  # the same
