"""The one clock of the shell, an argument everywhere else."""

import time
from typing import Protocol


class Clock(Protocol):
    def millis(self) -> int:
        """Wall clock, ms since 1970 UTC."""
        ...

    def seconds(self) -> float:
        """Monotonic clock: only differences mean something."""
        ...


class SystemClock:
    def millis(self) -> int:
        return time.time_ns() // 1_000_000

    def seconds(self) -> float:
        return time.monotonic()
