"""What runs beside a server ends with it."""

import asyncio

import pytest

from serving.http.life import BackgroundTask, _background
from tests.patience import PATIENCE_SECONDS


class Deaf:
    """A task that loses the first cancellations, as one does that asks MongoDB at that moment."""

    def __init__(self, losses: int) -> None:
        self.left = losses
        self.begun = asyncio.Event()

    async def keep(self) -> None:
        while True:
            self.begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.left -= 1
                if self.left < 0:
                    raise


async def fail() -> None:
    raise ZeroDivisionError


async def keep_beside(deaf: Deaf, *others: BackgroundTask) -> None:
    async with _background((deaf.keep, *others)):
        await deaf.begun.wait()
        if others:
            await asyncio.Event().wait()


async def test_a_task_that_loses_its_cancellation_is_cancelled_again() -> None:
    """Otherwise a process that got SIGTERM would never end."""
    deaf = Deaf(losses=2)
    await asyncio.wait_for(keep_beside(deaf), PATIENCE_SECONDS)
    assert -1 == deaf.left


async def test_a_task_that_fails_ends_the_deaf_ones_too() -> None:
    """Or one that has to refuse would stand there without a word."""
    deaf = Deaf(losses=2)
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(keep_beside(deaf, fail), PATIENCE_SECONDS)
    assert caught.group_contains(ZeroDivisionError)
    assert -1 == deaf.left
