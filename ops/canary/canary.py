"""The canary's loop: send a batch, wait until it is visible, read the total back, judge.

One batch at a time. A batch without a final answer is sent again, with the same requestId, until there is one, however
long that takes. So the next batch is compared with a total that is known, and the time until a batch is visible is what
a client with retries sees.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import structlog

from ops.canary.batch import Accepted, Again, Lost, Refused, Visible, batch_body
from ops.canary.ingress import Ingress
from ops.canary.judge import Judge
from ops.canary.metrics import CanaryMetrics
from serving.clock import Clock

log = structlog.get_logger()

# Between two tries of a request, doubled each time. The first is short, because most batches are visible at once.
FIRST_PAUSE_SECONDS = 0.05
MAX_PAUSE_SECONDS = 1.0

# A batch that is not visible after this time is logged.
LATE_SECONDS = 10

Found = TypeVar("Found")


class _Trouble:
    """The log of batches that are late or refused: a line when that begins, and one when it is over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: float | None = None
        self._reasons: set[str] = set()

    def late(self, started: float, reason: str) -> None:
        """The batch that was first sent at `started` is not visible yet."""
        if self._since is None and self._clock.monotonic_seconds() - started > LATE_SECONDS:
            self._since = started
            log.warning("canary_late", reason=reason, seconds=LATE_SECONDS)

    def refused(self, started: float, reason: str) -> None:
        """A batch was refused. Each reason is logged once."""
        if self._since is None:
            self._since = started
        if reason not in self._reasons:
            self._reasons.add(reason)
            log.error("canary_refused", reason=reason)

    def over(self) -> None:
        """A batch is visible."""
        if self._since is not None:
            log.info("canary_on_time", seconds=round(self._clock.monotonic_seconds() - self._since, 1))
            self._since, self._reasons = None, set()


class Canary:
    """Sends batches until it is cancelled. The caller opens and closes `ingress`."""

    def __init__(self, ingress: Ingress, metrics: CanaryMetrics, clock: Clock, interval_seconds: float) -> None:
        self._ingress = ingress
        self._metrics = metrics
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._judge = Judge()
        self._trouble = _Trouble(clock)

    async def run(self) -> None:
        """A batch every interval. One that took longer is followed by the next at once."""
        while True:
            due = self._clock.monotonic_seconds() + self._interval_seconds
            await self.step()
            await self._clock.sleep(max(0.0, due - self._clock.monotonic_seconds()))

    async def step(self) -> None:
        """One batch, until its outcome is known."""
        request_id = secrets.randbelow(1 << 62) + 1
        try:
            await self._step(request_id)
        except asyncio.CancelledError:
            log.info("canary_batch_unfinished", request_id=str(request_id))
            raise

    async def _step(self, request_id: int) -> None:
        started = self._clock.monotonic_seconds()
        body = batch_body(request_id, self._clock.wall_millis())
        tries = _Tries(self._clock, lambda reason: self._trouble.late(started, reason))
        found = await self._visible(body, tries)
        if isinstance(found, Refused):
            self._metrics.ended(self._judge.refused(maybe_stored=tries.maybe_stored))
            self._trouble.refused(started, found.reason)
            return
        self._metrics.visible(self._clock.monotonic_seconds() - started)
        self._read_back((await tries.until_final(self._ingress.total)).value, request_id)
        self._trouble.over()

    def _read_back(self, total: int, request_id: int) -> None:
        expected = self._judge.expected
        outcome = self._judge.visible(total)
        self._metrics.ended(outcome)
        if outcome == "counted":
            self._metrics.succeeded(self._clock.wall_millis())
        if outcome == "miscounted":
            log.error("canary_miscounted", expected=expected, found=total, request_id=str(request_id))

    async def _visible(self, body: bytes, tries: "_Tries") -> Visible | Refused:
        """Send the batch until it is stored, and wait until it is visible. Sent again if its receipt is lost."""
        while True:
            sent: Accepted | Refused = await tries.until_final(partial(self._ingress.send, body))
            if isinstance(sent, Refused):
                return sent
            tries.maybe_stored = True
            found: Visible | Lost | Refused = await tries.until_final(partial(self._ingress.state, sent.receipt))
            if not isinstance(found, Lost):
                return found
            await tries.pause("the receipt is not known")


class _Tries:
    """The tries of one batch. `maybe_stored`: it is stored, or a try without an answer may have stored it."""

    def __init__(self, clock: Clock, waiting: Callable[[str], None]) -> None:
        self._clock = clock
        self._waiting = waiting
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self.maybe_stored = False

    async def until_final(self, ask: Callable[[], Awaitable[Found | Again]]) -> Found:
        """Ask until the answer is final."""
        while isinstance(found := await ask(), Again):
            self.maybe_stored |= found.maybe_stored
            await self.pause(found.reason)
        return found

    async def pause(self, reason: str) -> None:
        self._waiting(reason)
        await self._clock.sleep(self._pause_seconds)
        self._pause_seconds = min(MAX_PAUSE_SECONDS, self._pause_seconds * 2)
