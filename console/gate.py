"""Limits how many requests query MongoDB at once, so that readers don't slow the workers down."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schemas.errors.table import Refusal
from serving.refused import Refused


class Gate:
    """Admits `most` requests at a time, and refuses one that has waited for `wait_seconds`.

    `inside`: the requests that query now or wait for their turn.
    """

    def __init__(self, most: int, wait_seconds: float) -> None:
        self._turns = asyncio.Semaphore(most)
        self._wait_seconds = wait_seconds
        self.inside = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for a turn, which lasts as long as the context. Raises Refused."""
        self.inside += 1
        try:
            try:
                async with asyncio.timeout(self._wait_seconds):
                    await self._turns.acquire()
            except TimeoutError:
                raise Refused(Refusal.QUERIES_BUSY) from None
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self.inside -= 1
