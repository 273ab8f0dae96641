"""Limits log lines that repeat."""

import math
import time
from collections.abc import Callable

REPEAT_SECONDS = 60


class Seldom:
    """Limits log lines to one of each kind in some seconds. There are few kinds: none is forgotten."""

    def __init__(self, now: Callable[[], float] = time.monotonic, seconds: float = REPEAT_SECONDS) -> None:
        self._now = now
        self._seconds = seconds
        self._written: dict[object, float] = {}
        self._left_out: dict[object, int] = {}

    def allows(self, kind: object) -> int | None:
        """How many lines were left out since the last one of this kind; None to leave out this one too."""
        now = self._now()
        if now - self._written.get(kind, -math.inf) < self._seconds:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return None
        self._written[kind] = now
        return self._left_out.pop(kind, 0)
