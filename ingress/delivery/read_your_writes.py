"""Read-your-writes: one task watches the checkpoints for all requests (docs/design.md, "The journey of one batch").

One round, in one causally consistent session, so that steps 2 and 3 read at least what step 1 saw:
1. read all checkpoints, one query;
2. read the totals of the players whose record a checkpoint has passed, or whose wait has timed out, one query;
3. read the `exceptions` at the passed coordinates, one query.
While MongoDB is unavailable the result is "not known". No request fails for it: the records are in Kafka.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping

import structlog

from ingress.delivery.waiters import NOTHING_KNOWN, Due, Lag, Waiter, Waiters, WaitResult
from ingress.ports import AppliedStore, Unavailable
from schemas.coordinates import Coordinates, PartitionId
from serving.clock import Clock
from serving.deadlines import Deadlines

log = structlog.get_logger()

# How often the checkpoints are read while requests wait, and while only the lag is tracked.
POLL_SECONDS = 0.02
TRACK_SECONDS = 1.0
# And while there is neither: an ack below a checkpoint that was read before the send shows that the log was truncated.
IDLE_SECONDS = 5.0
# Between two rounds, however long one takes: the event loop serves requests meanwhile.
MIN_PAUSE_SECONDS = 0.005
# How long reading the totals may take after a waiter's deadline, and the first read of a lineage's checkpoints.
READ_GRACE_SECONDS = 0.25
# A lag that was read longer ago than this counts as unknown.
LAG_FRESH_SECONDS = 5.0


class CheckpointWatch:
    """Watches the checkpoints of one API, and reports what became of the records that this ingress has published."""

    def __init__(self, store: AppliedStore, clock: Clock, lineage: Callable[[], str | None] = lambda: None) -> None:
        """`lineage`: the topic's current one. Its checkpoints are read even while no request waits."""
        self._lineage = lineage
        self._checkpoints: Mapping[PartitionId, int] = {}
        self._read_lineages: frozenset[str] = frozenset()
        self._store = store
        self._clock = clock
        self._waiters = Waiters()
        self._unanswered = Deadlines(NOTHING_KNOWN)
        self._lag = Lag()
        self._wake = asyncio.Event()
        self._polled = asyncio.Event()
        self._read_seconds: float | None = None
        self._unavailable = False

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiters)

    def lag_seconds(self, partition: int | None = None) -> float | None:
        """How far behind the workers are, of one partition or else of the one furthest behind.

        None where it is unknown: no checkpoints were read within LAG_FRESH_SECONDS.
        """
        now = self._clock.monotonic_seconds()
        if not len(self._lag):
            return 0.0
        if self._read_seconds is None or now - self._read_seconds > LAG_FRESH_SECONDS:
            return None
        return self._lag.seconds(now) if partition is None else self._lag.seconds_of(partition, now)

    def acked(self, coordinates: Coordinates) -> None:
        """Kafka has acknowledged this record: from now on it counts as lag."""
        if not len(self._lag):
            self._wake.set()
        self._lag.acked(coordinates, self._clock.monotonic_seconds())

    @property
    def checkpoints(self) -> Mapping[PartitionId, int]:
        """As they were last read. The mapping is never changed: the next read makes another."""
        return self._checkpoints

    def has_read(self, lineage: str) -> bool:
        """Whether the last read included the checkpoints of this lineage."""
        return lineage in self._read_lineages

    async def before_sending(self, lineage: str | None) -> Mapping[PartitionId, int]:
        """The checkpoints to compare an ack with. Waits for their first read, if MongoDB is available.

        Only an ack below a checkpoint that was read before the send shows that the log was truncated.
        """
        if lineage is not None and not self.has_read(lineage):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(READ_GRACE_SECONDS):
                    while not (self.has_read(lineage) or self._unavailable):
                        self._polled.clear()
                        self._wake.set()
                        await self._polled.wait()
        return self._checkpoints

    async def wait(
        self,
        coordinates: Coordinates,
        actor: str | None,
        timeout_seconds: float,
        append_millis: int | None = None,
    ) -> WaitResult:
        """Wait until the record is counted or the time is up; 0 reads the totals as they are now. Never raises.

        Without an actor no totals are read. `append_millis`: when the record came into the log. A rejection of a record
        of another time at the same coordinates is ignored.
        """
        if self._unavailable:
            return NOTHING_KNOWN
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[WaitResult] = loop.create_future()
        deadline = self._clock.monotonic_seconds() + timeout_seconds
        self._waiters.add(Waiter(coordinates, actor, deadline, answer, append_millis))
        self._unanswered.add(loop.time() + timeout_seconds + READ_GRACE_SECONDS, answer)
        self._wake.set()
        return await answer

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._wake.clear()
            started = self._clock.monotonic_seconds()
            await self.poll()
            self._polled.set()
            await self._pause(started)

    async def poll(self) -> None:
        """One round."""
        if (current := self._lineage()) is not None:
            self._lag.follow(current)
        lineages = self._waiters.lineages()
        if self._lag.lineage is not None:
            lineages.add(self._lag.lineage)
        try:
            checkpoints = await self._store.checkpoints(lineages)
        except Unavailable as error:
            self._lost(error)
            return
        self._read_seconds = self._clock.monotonic_seconds()
        self._checkpoints, self._read_lineages = checkpoints, frozenset(lineages)
        self._lag.passed(checkpoints)
        await self._answer(self._waiters.take_due(checkpoints, self._read_seconds))

    async def _answer(self, due: Due) -> None:
        if due.passed or due.late:
            try:
                await self._resolve(due)
            except Unavailable as error:
                _resolve_unknown([*due.passed, *due.late])
                self._lost(error)
                return
        self._unavailable = False

    async def _resolve(self, due: Due) -> None:
        actors = {waiter.actor for waiter in (*due.passed, *due.late) if waiter.actor is not None}
        totals = await self._store.totals(actors) if actors else {}
        rejections = await self._store.rejections([w.coordinates for w in due.passed]) if due.passed else {}
        for waiter in due.passed:
            rejection = rejections.get(waiter.coordinates)
            known = totals.get(waiter.actor or "", {})
            if rejection is None or rejection.is_of(waiter.append_millis):
                waiter.resolve(WaitResult(passed=True, totals=known, rejection=rejection))
            else:
                waiter.resolve(WaitResult(totals=known, reused=True))
        for waiter in due.late:
            waiter.resolve(WaitResult(totals=totals.get(waiter.actor or "", {})))

    def _lost(self, error: Unavailable) -> None:
        """Stop all waits: MongoDB can't be read now. The slow rounds notice when it is available again."""
        if not (self._unavailable or error.lost):
            log.warning("totals_not_read", reason=str(error))
        self._unavailable = True
        _resolve_unknown(self._waiters.take_all())

    async def _pause(self, started: float) -> None:
        if self._waiters and not self._unavailable:
            await asyncio.sleep(max(started + POLL_SECONDS - self._clock.monotonic_seconds(), MIN_PAUSE_SECONDS))
            return
        try:
            is_idle = not (self._lag or self._unavailable) and self._lineage() in self._read_lineages
            async with asyncio.timeout(IDLE_SECONDS if is_idle else TRACK_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return


def _resolve_unknown(waiters: list[Waiter]) -> None:
    for waiter in waiters:
        waiter.resolve(NOTHING_KNOWN)
