"""Trying again after Unavailable, with growing pauses, until it is done or the worker is told to stop."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from consumer.core.policy import backoff_seconds
from consumer.ports import Unavailable

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(slots=True)
class Retry:
    """How to try again: no longer than `max_seconds` between two tries, and not once `stop` is set.

    `is_away` while the last try failed: the world is at fault, not the worker.
    """

    max_seconds: float
    stop: asyncio.Event
    is_away: bool = False

    async def until_done(self, what: str, attempt: Callable[[], Awaitable[T]]) -> T | None:
        """The result of the first try that is not Unavailable; None when stopped before there was one."""
        failures, is_told = 0, False
        while not self.stop.is_set():
            try:
                result = await attempt()
            except Unavailable as error:
                failures += 1
                self.is_away = True
                pause = backoff_seconds(failures, self.max_seconds)
                if not (is_told or error.lost):
                    is_told = True
                    log.warning("unavailable", what=what, error=str(error))
                await self._pause(pause)
            else:
                self.is_away = False
                if is_told:
                    log.info("available again", what=what, failures=failures)
                return result
        return None

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.stop.wait(), seconds)
        except TimeoutError:
            return
