"""Deadlines of many waits at once, without a timer for each.

A time-out of asyncio costs some microseconds: a context, a timer, and the timer's end. Of a thousand requests not one
needs it. So `before` sets a timer only for what has to wait, and Deadlines has one timer for all that wait.
"""

import asyncio
import types
from collections.abc import Coroutine, Generator
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@types.coroutine
def before(deadline: float, coroutine: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """The result of `coroutine`. Raises TimeoutError if it still waits at `deadline`, by the loop's clock."""
    try:
        awaited = coroutine.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    return (yield from _in_time(deadline, awaited, coroutine).__await__())


async def _in_time(deadline: float, awaited: object, coroutine: Coroutine[Any, Any, T]) -> T:
    async with asyncio.timeout_at(deadline):
        return await _continued(awaited, coroutine)


@types.coroutine
def _continued(awaited: object, coroutine: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Runs on a coroutine that was started already. `awaited`: what it waits for, which the event loop must see."""
    while True:
        try:
            step = partial(coroutine.send, (yield awaited))
        except BaseException as error:  # noqa: BLE001 it is the coroutine's: above all its cancellation
            step = partial(coroutine.throw, error)
        try:
            awaited = step()
        except StopIteration as ended:
            result: T = ended.value
            return result


class Deadlines(Generic[T]):
    """Sets futures that are not done by their deadline to `late`."""

    def __init__(self, late: T) -> None:
        self._late = late
        self._waits: list[tuple[float, int, asyncio.Future[T]]] = []
        """A heap by deadline. The number keeps the order of equal deadlines, so that no futures are compared."""
        self._numbers = count()
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0
        """When the timer ends. uvloop's handle of a time that is past does not say it: it is no TimerHandle."""

    def __len__(self) -> int:
        """How many are watched, the done ones included that are not forgotten yet."""
        return len(self._waits)

    def add(self, deadline: float, future: "asyncio.Future[T]") -> None:
        """Watch a future until it is done, or until its deadline by the loop's clock."""
        self._forget_done()
        heappush(self._waits, (deadline, next(self._numbers), future))
        if self._timer is None or deadline < self._timer_at:
            self._set_timer()

    def _forget_done(self) -> None:
        """Those that would be next. Where all wait equally long, no more remain than really wait."""
        waits = self._waits
        while waits and waits[0][2].done():
            heappop(waits)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._waits[0][0]
        self._timer = asyncio.get_running_loop().call_at(self._timer_at, self._end)

    def _end(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._waits and self._waits[0][0] <= now:
            future = heappop(self._waits)[2]
            if not future.done():
                future.set_result(self._late)
        self._forget_done()
        if self._waits:
            self._set_timer()
