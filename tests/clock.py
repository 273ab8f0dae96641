"""The clock of tests."""

import asyncio

START_MILLIS = 1_790_000_000_000
"""The wall clock of a new TestClock: 2026-09-21T14:13:20Z."""


class TestClock:
    """A Clock that only a test moves. Sleeps are real."""

    __test__ = False

    def __init__(self) -> None:
        self.now_millis = START_MILLIS
        self.skipped_seconds = 0.0

    def wall_millis(self) -> int:
        return self.now_millis

    def monotonic_seconds(self) -> float:
        return 1_000 + self.skipped_seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
