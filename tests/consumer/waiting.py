"""Waiting for what a test expects of real servers: in bounded time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.patience import PATIENCE_SECONDS


async def until(holds: Callable[[], Awaitable[bool]], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Ask until it holds."""
    give_up = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < give_up, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.05)
