"""An outage of a server in the log of one process: one line when it is lost, one when it is back.

If the reason changes while the outage lasts, a line of another event says so.

Several parts of a process notice the same outage at different times. The first one writes the first line. The second
line is written when all parts have been able to use the server for STEADY_SECONDS: while a part of the cluster is
unavailable, calls succeed and fail in turns, and that is one outage.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()

# A reason that changes during the outage (no answer, then a wrong password) is logged at most this often.
REPEAT_SECONDS = 60

# Longer than the pause between two attempts of the same call.
STEADY_SECONDS = 3.0

Later = Callable[[float, Callable[[], None]], Callable[[], object]]
"""Schedules a callback after so many seconds, and returns a function that cancels it."""


def by_the_loop(seconds: float, callback: Callable[[], None]) -> Callable[[], object]:
    """Schedules on the running event loop."""
    return asyncio.get_running_loop().call_later(seconds, callback).cancel


class Outage:
    """The outages of one server. Log events: `<server>_lost`, `<server>_outage_continues`, `<server>_back`."""

    def __init__(self, server: str, now: Callable[[], float] = time.monotonic, later: Later = by_the_loop) -> None:
        self._server = server
        self._now = now
        self._later = later
        self._parts: set[str] = set()
        self._is_known = False
        self._since: float | None = None
        self._said = 0.0
        self._reason = ""
        self._cancel_back: Callable[[], object] | None = None

    def lost(self, part: str, reason: str, seconds_ago: float = 0) -> None:
        """A part can't use the server, for this reason."""
        now = self._now()
        if self._cancel_back:
            self._cancel_back()
            self._cancel_back = None
        if self._since is None:
            self._since = now - seconds_ago
            self._reason, self._said = reason, now
            log.warning(f"{self._server}_lost", reason=reason, seconds=round(seconds_ago, 1))  # noqa: G004 an event's name
        elif reason != self._reason and now - self._said >= REPEAT_SECONDS:
            self._reason, self._said = reason, now
            seconds = round(now - self._since, 1)
            log.warning(f"{self._server}_outage_continues", reason=reason, seconds=seconds)  # noqa: G004 an event's name
        self._parts.add(part)

    def back(self, part: str) -> None:
        """A part can use the server, perhaps again. No line if that part had not lost it."""
        self._is_known = True
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
    def is_up(self) -> bool:
        """Whether the server has been used, and no part has lost it."""
        return self._is_known and not self._parts

    @property
    def lasts(self) -> bool:
        return bool(self._parts)

    @property
    def lost_seconds(self) -> float:
        """For how long a part has been unable to use the server; 0 if all can."""
        return self._now() - self._since if self._parts and self._since is not None else 0

    @property
    def reason(self) -> str:
        """Why the server is lost, as the log says it; empty if it is not."""
        return self._reason if self.lasts else ""
