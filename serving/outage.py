"""An outage of a server in the log of one process: one line when it is lost, one when it is back.

Several parts of a process see the same outage, each in its own time. The first that sees it writes the line, and the
last that is over it writes the other.
"""

import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()

# A cause that changes while the outage lasts (no answer, then a wrong password) is worth a line, but not each time.
REPEAT_SECONDS = 60


class Outage:
    """Of one server, by name: the events are `<server>_lost` and `<server>_back`."""

    def __init__(self, server: str, now: Callable[[], float] = time.monotonic) -> None:
        self._lost_event, self._back_event = f"{server}_lost", f"{server}_back"
        self._now = now
        self._parts: set[str] = set()
        self._since = 0.0
        self._said = 0.0
        self._reason = ""

    def lost(self, part: str, reason: str, seconds_ago: float = 0) -> None:
        """That a part can't use the server, since then, and why."""
        now = self._now()
        if not self._parts:
            self._since = now - seconds_ago
            self._say(reason, now)
        elif reason != self._reason and now - self._said >= REPEAT_SECONDS:
            self._say(reason, now)
        self._parts.add(part)

    def _say(self, reason: str, now: float) -> None:
        self._reason, self._said = reason, now
        log.warning(self._lost_event, reason=reason, seconds=round(now - self._since, 1))

    def back(self, part: str) -> None:
        """That a part can use the server. Nothing happens where it never said otherwise."""
        if part not in self._parts:
            return
        self._parts.remove(part)
        if not self._parts:
            log.info(self._back_event, seconds=round(self._now() - self._since, 1))

    @property
    def lasts(self) -> bool:
        return bool(self._parts)
