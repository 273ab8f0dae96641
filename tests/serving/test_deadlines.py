"""Deadlines without a timer for each wait: the same ends as those of asyncio's time-outs."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from serving.deadlines import Deadlines, before

SOON, FAR = 0.01, 60


async def at_once() -> str:
    return "done"


async def fails() -> str:
    raise LookupError("at once")


async def turns() -> str:
    """Lets others run, by a bare yield and by futures."""
    for _ in range(3):
        await asyncio.sleep(0)
    await asyncio.wait_for(asyncio.sleep(0, "x"), 60)
    return "done"


async def fails_later() -> str:
    await asyncio.sleep(0)
    raise LookupError("later")


async def waits() -> str:
    await asyncio.Event().wait()
    return "never"


async def tidies() -> str:
    """Takes its cancellation as a reason to return."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "tidied"
    return "never"


async def outcome(awaiting: Coroutine[Any, Any, str]) -> str | type[BaseException]:
    try:
        return await awaiting
    except (LookupError, TimeoutError, asyncio.CancelledError) as error:
        return type(error)


async def as_asyncio_does(deadline: float, coroutine: Coroutine[Any, Any, str]) -> str:
    async with asyncio.timeout_at(deadline):
        return await coroutine


async def as_here(deadline: float, coroutine: Coroutine[Any, Any, str]) -> str:
    return await before(deadline, coroutine)


@pytest.mark.parametrize(
    ("work", "seconds"),
    [(at_once, FAR), (fails, FAR), (turns, FAR), (fails_later, FAR), (waits, SOON), (tidies, SOON)],
)
async def test_the_end_is_that_of_a_time_out_of_asyncio(
    work: Callable[[], Coroutine[Any, Any, str]], seconds: float
) -> None:
    """Whatever the coroutine does, and whether it is cancelled meanwhile."""
    loop = asyncio.get_running_loop()
    ends: list[object] = []
    for bounded in (as_asyncio_does, as_here):
        ends.append(await outcome(bounded(loop.time() + seconds, work())))
        task = asyncio.create_task(outcome(bounded(loop.time() + FAR, work())))
        await asyncio.sleep(0)
        task.cancel()
        ends.append((await asyncio.gather(task, return_exceptions=True))[0])
    assert ends[:2] == ends[2:]


async def test_what_needs_not_wait_sets_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what it is for."""
    monkeypatch.setattr(asyncio, "timeout_at", None)
    assert "done" == await before(0, at_once())


async def test_each_future_ends_at_its_deadline_and_those_done_stay_as_they_are() -> None:
    """In whatever order they were added; one that is cancelled is left alone."""
    loop = asyncio.get_running_loop()
    deadlines, now = Deadlines("late"), loop.time()
    futures = [loop.create_future() for _ in range(5)]
    ended: dict[asyncio.Future[Any], float] = {}
    for future, seconds in zip(futures, (FAR, 2 * SOON, SOON, SOON, SOON), strict=True):
        deadlines.add(now + seconds, future)
        future.add_done_callback(lambda one: ended.setdefault(one, loop.time()))
    futures[3].set_result("in time")
    futures[4].cancel()
    assert ("late", "late") == (await futures[1], await futures[2])
    assert [futures[at] for at in (3, 4, 2, 1)] == list(ended)
    assert (True, True) == (ended[futures[2]] >= now + SOON, ended[futures[1]] >= now + 2 * SOON)
    assert ("in time", False) == (futures[3].result(), futures[0].done())


async def test_no_more_are_kept_than_wait() -> None:
    """Where all wait equally long, as the requests of one publisher do."""
    loop = asyncio.get_running_loop()
    deadlines = Deadlines[None](None)
    for n in range(1_000):
        future = loop.create_future()
        deadlines.add(loop.time() + 60 + n * 1e-6, future)
        future.set_result(None)
    assert 1 == len(deadlines)


@pytest.mark.parametrize("loops", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_deadline_that_is_past_is_a_deadline_too(loops: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """After a stall of the process. uvloop, which the servers run on, gives another kind of timer for it."""

    async def ends() -> list[str]:
        loop = asyncio.get_running_loop()
        deadlines, futures = Deadlines("late"), [loop.create_future() for _ in range(3)]
        for future, seconds in zip(futures, (-1, -2, 60), strict=True):
            deadlines.add(loop.time() + seconds, future)
        return [*await asyncio.gather(*futures[:2]), "waits" if not futures[2].done() else "done"]

    with asyncio.Runner(loop_factory=loops) as runner:
        assert ["late", "late", "waits"] == runner.run(ends())
