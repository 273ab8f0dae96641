"""Read-your-writes: one task watches the checkpoints for all requests (docs/design.md, "The journey of one batch").

One round, in one causally consistent session, so that what follows is at least as new as the checkpoints:
1. all checkpoints, one query;
2. the totals of the players whose record a checkpoint has passed, and of those whose time is up, one query;
3. what `exceptions` says of the passed coordinates, one query.
MongoDB away means "not known", never a failed request: the records are in Kafka.
"""

import asyncio
from collections.abc import Callable, Mapping

import structlog

from ingress.delivery.waiters import NOTHING_KNOWN, Due, Lag, Seen, Waiter, Waiting
from ingress.ports import AppliedStore, Unavailable
from schemas.coordinates import Coordinates, PartitionId
from serving.clock import Clock

log = structlog.get_logger()

# How often the checkpoints are read while someone waits, and while only the lag is of interest.
POLL_SECONDS = 0.02
TRACK_SECONDS = 1.0
# And while nothing is: an ack below a checkpoint that was read before the send shows that the log was cut.
IDLE_SECONDS = 5.0
# However long a round takes, the requests get the loop in between.
MIN_PAUSE_SECONDS = 0.005
# How long after a waiter's deadline the totals for it may take to read.
READ_GRACE_SECONDS = 0.25
# A lag read longer ago than this is no longer known.
LAG_FRESH_SECONDS = 5.0


class AppliedWatch:
    """What became of the records this ingress has published."""

    def __init__(self, store: AppliedStore, clock: Clock, lineage: Callable[[], str | None] = lambda: None) -> None:
        """`lineage`: the one in force, whose checkpoints are read even if nobody waits."""
        self._lineage = lineage
        self._checkpoints: Mapping[PartitionId, int] = {}
        self._read_lineages: frozenset[str] = frozenset()
        self._store = store
        self._clock = clock
        self._waiting = Waiting()
        self._lag = Lag()
        self._wake = asyncio.Event()
        self._read_seconds: float | None = None
        self._away = False

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    def lag_seconds(self, partition: int | None = None) -> float | None:
        """How far behind the workers are, if it is known: the checkpoints were read within the last seconds.

        Of one partition, or without it of the one that is furthest behind.
        """
        now = self._clock.monotonic_seconds()
        if not len(self._lag):
            return 0.0
        if self._read_seconds is None or now - self._read_seconds > LAG_FRESH_SECONDS:
            return None
        return self._lag.seconds(now) if partition is None else self._lag.seconds_of(partition, now)

    def acked(self, coordinates: Coordinates) -> None:
        """Kafka has this record: from now on it counts as lag."""
        if not len(self._lag):
            self._wake.set()
        self._lag.acked(coordinates, self._clock.monotonic_seconds())

    @property
    def checkpoints(self) -> Mapping[PartitionId, int]:
        """As they were read last. Never changed: a newer reading is another mapping."""
        return self._checkpoints

    async def wait(
        self,
        coordinates: Coordinates,
        actor: str | None,
        timeout_seconds: float,
        append_millis: int | None = None,
    ) -> Seen:
        """Until the record is counted, or the time is up; with 0, the totals as they are now. Never raises.

        Without an actor no totals are read. `append_millis`: when it came into the log; what is said of a record of
        another time at these coordinates is not believed.
        """
        if self._away:
            return NOTHING_KNOWN
        answer: asyncio.Future[Seen] = asyncio.get_running_loop().create_future()
        deadline = self._clock.monotonic_seconds() + timeout_seconds
        self._waiting.add(Waiter(coordinates, actor, deadline, answer, append_millis))
        self._wake.set()
        try:
            async with asyncio.timeout(timeout_seconds + READ_GRACE_SECONDS):
                return await answer
        except TimeoutError:
            return NOTHING_KNOWN

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._wake.clear()
            started = self._clock.monotonic_seconds()
            await self.poll()
            await self._pause(started)

    async def poll(self) -> None:
        """One round."""
        lineages = self._waiting.lineages()
        lineages |= {one for one in (self._lag.lineage, self._lineage()) if one is not None}
        try:
            checkpoints = await self._store.checkpoints(lineages)
        except Unavailable as error:
            self._lost(error)
            return
        self._read_seconds = self._clock.monotonic_seconds()
        self._checkpoints, self._read_lineages = checkpoints, frozenset(lineages)
        self._lag.passed(checkpoints)
        await self._answer(self._waiting.take_due(checkpoints, self._read_seconds))

    async def _answer(self, due: Due) -> None:
        if due.passed or due.late:
            try:
                await self._tell(due)
            except Unavailable as error:
                _tell_nothing([*due.passed, *due.late])
                self._lost(error)
                return
        self._away = False

    async def _tell(self, due: Due) -> None:
        actors = {waiter.actor for waiter in (*due.passed, *due.late) if waiter.actor is not None}
        totals = await self._store.totals(actors) if actors else {}
        misfortunes = await self._store.misfortunes([w.coordinates for w in due.passed]) if due.passed else {}
        for waiter in due.passed:
            misfortune = misfortunes.get(waiter.coordinates)
            known = totals.get(waiter.actor or "", {})
            if misfortune is None or misfortune.is_of(waiter.append_millis):
                waiter.tell(Seen(passed=True, totals=known, misfortune=misfortune))
            else:
                waiter.tell(Seen(totals=known, reused=True))
        for waiter in due.late:
            waiter.tell(Seen(totals=totals.get(waiter.actor or "", {})))

    def _lost(self, error: Unavailable) -> None:
        """Nobody is kept waiting for an answer that can't come; the slow rounds will notice the return."""
        if not (self._away or error.lost):
            log.warning("totals_not_read", reason=str(error))
        self._away = True
        _tell_nothing(self._waiting.take_all())

    async def _pause(self, started: float) -> None:
        if self._waiting and not self._away:
            await asyncio.sleep(max(started + POLL_SECONDS - self._clock.monotonic_seconds(), MIN_PAUSE_SECONDS))
            return
        try:
            is_idle = not (self._lag or self._away) and self._lineage() in self._read_lineages
            async with asyncio.timeout(IDLE_SECONDS if is_idle else TRACK_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return


def _tell_nothing(waiters: list[Waiter]) -> None:
    for waiter in waiters:
        waiter.tell(NOTHING_KNOWN)
