"""Bounds how much costly work runs at once. Senders take turns, and each waits a bounded time."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple


class NoTurn(Exception):
    """The wait for a turn timed out."""


class _Waiter(NamedTuple):
    size_bytes: int
    granted: asyncio.Future[None]


class FairQueue:
    """Runs work on at most `bytes_at_once`; larger work runs alone. Each key has a queue, and the queues take turns."""

    def __init__(self, bytes_at_once: int, wait_seconds: float) -> None:
        self._bytes_at_once = bytes_at_once
        self._wait_seconds = wait_seconds
        self._running_bytes = 0
        # In the order of their next turn.
        self._queues: dict[object, deque[_Waiter]] = {}

    @property
    def running_bytes(self) -> int:
        return self._running_bytes

    @property
    def waiting(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    @asynccontextmanager
    async def turn(self, key: object, size_bytes: int) -> AsyncIterator[None]:
        """A turn of `key` to work on so many bytes. Raises NoTurn."""
        size_bytes = min(size_bytes, self._bytes_at_once)
        await self._granted(key, _Waiter(size_bytes, asyncio.get_running_loop().create_future()))
        try:
            yield
        finally:
            self._running_bytes -= size_bytes
            self._grant()

    async def _granted(self, key: object, waiter: _Waiter) -> None:
        self._queues.setdefault(key, deque()).append(waiter)
        self._grant()
        try:
            async with asyncio.timeout(self._wait_seconds):
                await waiter.granted
        except TimeoutError:
            self._withdraw(key, waiter)
            raise NoTurn from None
        except BaseException:
            self._withdraw(key, waiter)
            raise

    def _withdraw(self, key: object, waiter: _Waiter) -> None:
        """The turn may have been granted at the moment when the waiter gave up; then its bytes are given back."""
        if waiter.granted.cancelled():
            queue = self._queues.get(key, deque())
            if waiter in queue:
                queue.remove(waiter)
            if not queue:
                self._queues.pop(key, None)
        else:
            self._running_bytes -= waiter.size_bytes
        self._grant()

    def _grant(self) -> None:
        """Grants turns in order. No queue overtakes the next one, or small work could make large work wait for ever."""
        while self._queues:
            key, queue = next(iter(self._queues.items()))
            if self._running_bytes and self._running_bytes + queue[0].size_bytes > self._bytes_at_once:
                return
            waiter = queue.popleft()
            del self._queues[key]
            if queue:
                self._queues[key] = queue
            if not waiter.granted.cancelled():
                self._running_bytes += waiter.size_bytes
                waiter.granted.set_result(None)
