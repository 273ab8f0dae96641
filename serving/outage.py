"""An outage of a server in the log of one process: one line when it is lost, one when it is back.

Several parts of a process see the same outage, each in its own time. The first that sees it writes the line. The other
line is written once all parts have been able to use the server for STEADY_SECONDS: in an outage of a part of the
cluster some calls succeed and others fail, in turns, and that is one outage.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()

# A cause that changes while the outage lasts (no answer, then a wrong password) is worth a line, but not each time.
REPEAT_SECONDS = 60

# Longer than the pause between two tries of the same call.
STEADY_SECONDS = 3.0

Later = Callable[[float, Callable[[], None]], Callable[[], object]]
"""Calls something after so many seconds; returns what cancels it."""


def by_the_loop(seconds: float, callback: Callable[[], None]) -> Callable[[], object]:
    """A Later of the event loop that runs."""
    return asyncio.get_running_loop().call_later(seconds, callback).cancel


class Outage:
    """Of one server, by name: the events are `<server>_lost` and `<server>_back`."""

    def __init__(self, server: str, now: Callable[[], float] = time.monotonic, later: Later = by_the_loop) -> None:
        self._server = server
        self._now = now
        self._later = later
        self._parts: set[str] = set()
        self._since: float | None = None
        self._said = 0.0
        self._reason = ""
        self._cancel_back: Callable[[], object] | None = None

    def lost(self, part: str, reason: str, seconds_ago: float = 0) -> None:
        """That a part can't use the server, since then, and why."""
        now = self._now()
        if self._cancel_back:
            self._cancel_back()
            self._cancel_back = None
        if self._since is None:
            self._since = now - seconds_ago
            self._say(reason, self._since, now)
        elif reason != self._reason and now - self._said >= REPEAT_SECONDS:
            self._say(reason, self._since, now)
        self._parts.add(part)

    def _say(self, reason: str, since: float, now: float) -> None:
        self._reason, self._said = reason, now
        log.warning(f"{self._server}_lost", reason=reason, seconds=round(now - since, 1))  # noqa: G004 an event's name

    def back(self, part: str) -> None:
        """That a part can use the server. Nothing happens where it never said otherwise."""
        if part not in self._parts:
            return
        self._parts.remove(part)
        if not self._parts and self._since is not None:
            lasted = self._now() - self._since
            self._cancel_back = self._later(STEADY_SECONDS, lambda: self._say_back(lasted))

    def _say_back(self, lasted: float) -> None:
        self._since = self._cancel_back = None
        log.info(f"{self._server}_back", seconds=round(lasted, 1))  # noqa: G004 an event's name

    @property
    def lasts(self) -> bool:
        return bool(self._parts)
