"""Work of MongoDB's client is never cut off half-way: cancelled at the wrong moment it locks up for ever."""

import asyncio

import pytest

from consumer.mongo.transactions import uncancelled
from tests.patience import PATIENCE_SECONDS


async def test_work_goes_on_when_its_caller_is_cancelled() -> None:
    """Also if cancelled twice, and if it ends with an error (which is retrieved, or this test would fail)."""
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go_on.wait()
        ended.set()
        raise ZeroDivisionError

    caller = asyncio.create_task(uncancelled(work()))
    await begun.wait()
    caller.cancel()
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    await asyncio.wait_for(ended.wait(), PATIENCE_SECONDS)


async def test_its_result_and_its_error_come_out() -> None:
    """As if it had been awaited."""

    async def result() -> int:
        return 7

    async def error() -> None:
        raise ZeroDivisionError

    assert await uncancelled(result()) == 7
    with pytest.raises(ZeroDivisionError):
        await uncancelled(error())
