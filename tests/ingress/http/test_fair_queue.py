"""Turns at costly work: their order, and what is returned however a wait ends."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.http.fair_queue import FairQueue, NoTurn
from tests.patience import PATIENCE_SECONDS

AT_ONCE = 10


class Work:
    """Pieces of work that last until they are ended. `begun` has their order."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.begun: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, key: str, name: str, size: int = AT_ONCE) -> None:
        self._ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._run(key, name, size))
        await settled()

    async def _run(self, key: str, name: str, size: int) -> None:
        async with self.queue.turn(key, size):
            self.begun.append(name)
            await self._ends[name].wait()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await settled()

    async def end_all(self) -> None:
        for name in tuple(self.tasks):
            await self.end(name)
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_senders_take_turns_however_much_each_has_waiting() -> None:
    """A flood of one key keeps another from its turn by one piece of work, not by all."""
    work = Work(FairQueue(AT_ONCE, PATIENCE_SECONDS))
    for number in range(20):
        await work.start("flood", f"f{number}")
    await work.start("honest", "h0")
    await work.start("honest", "h1")
    for name in ("f0", "f1", "h0", "f2", "h1"):
        await work.end(name)
    assert ["f0", "f1", "h0", "f2", "h1", "f3"] == work.begun
    await work.end_all()
    assert (0, 0) == (work.queue.running_bytes, work.queue.waiting)


async def test_what_runs_is_bounded_and_a_larger_piece_runs_alone() -> None:
    """By bytes, not by number."""
    work = Work(FairQueue(AT_ONCE, PATIENCE_SECONDS))
    for number in range(4):
        await work.start("a", f"small{number}", 4)
    assert (8, 2) == (work.queue.running_bytes, work.queue.waiting)
    await work.start("b", "huge", 1_000)
    await work.end_all()
    assert {*work.tasks} == {*work.begun}


async def test_there_is_no_turn_after_the_wait() -> None:
    """A waiter that gave up gets no turn later."""
    work = Work(FairQueue(AT_ONCE, 0))
    await work.start("a", "a0")
    with pytest.raises(NoTurn):
        async with work.queue.turn("b", 1):
            raise AssertionError
    assert 0 == work.queue.waiting
    await work.end_all()
    assert 0 == work.queue.running_bytes


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


STEPS = st.lists(
    st.tuples(st.sampled_from(["start", "end", "cancel"]), st.sampled_from("abc"), st.integers(1, 15)), max_size=30
)


@given(STEPS)
def test_whatever_ends_or_gives_up_all_of_it_is_given_back(
    runner: asyncio.Runner, steps: list[tuple[str, str, int]]
) -> None:
    """Cancelled while it waits, while it works, or in the moment of its turn. No waiter is forgotten."""

    async def run() -> None:
        work = Work(FairQueue(AT_ONCE, PATIENCE_SECONDS))
        for number, (what, key, size) in enumerate(steps):
            if what == "start":
                await work.start(key, str(number), size)
            elif what == "end" and work.begun:
                work._ends[work.begun[size % len(work.begun)]].set()
            elif what == "cancel" and work.tasks:
                list(work.tasks.values())[size % len(work.tasks)].cancel()
            assert work.queue.running_bytes <= AT_ONCE
        with suppress(asyncio.CancelledError):
            await work.end_all()
        assert (0, 0) == (work.queue.running_bytes, work.queue.waiting)

    runner.run(run())


@pytest.mark.parametrize("cancelled_first", [True, False])
async def test_a_waiter_that_gives_up_when_it_is_its_turn_holds_nothing(*, cancelled_first: bool) -> None:
    """Whichever comes first, before the waiter itself runs again."""
    queue = FairQueue(10, PATIENCE_SECONDS)

    async def work() -> None:
        async with queue.turn("b", 10):
            raise AssertionError("it has given up")

    async with queue.turn("a", 10):
        waiter = asyncio.create_task(work())
        await asyncio.sleep(0)
        assert 1 == queue.waiting
        if cancelled_first:
            waiter.cancel()
    waiter.cancel()
    (ended,) = await asyncio.gather(waiter, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError)
    assert (0, 0) == (queue.running_bytes, queue.waiting)
