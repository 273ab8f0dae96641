"""The clock of a process. Pure code is given times as arguments; everything else reads this clock."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    def wall_millis(self) -> int:
        """Milliseconds since 1970 UTC. Can jump when the machine's clock is set."""
        ...

    def monotonic_seconds(self) -> float:
        """Never runs backwards. Only differences have a meaning."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def wall_millis(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_seconds(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
