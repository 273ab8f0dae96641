"""A worker: fetches, hands the records to the flushers of its partitions, and stops in order.

The group gives it partitions. Each gets a Flusher that starts at its checkpoint. Whatever a crash loses here is read
again from Kafka, and only the checkpoint says what is counted.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

import structlog

from consumer.core.policy import lag_seconds, may_fetch
from consumer.core.records import Record
from consumer.flusher import Flusher
from consumer.health import Health
from consumer.holdings import Holdings
from consumer.parts import Parts
from consumer.ports import Damaged, LeaderChanged, OutOfRange, TopicChanged, TopicIdentity, Unavailable, UnknownLineage
from consumer.retry import Retry
from serving.http.probes import Missing

log = structlog.get_logger()

# How long one fetch waits for records: also how soon a stop is noticed.
FETCH_SECONDS = 0.2
# How long a worker with a full buffer waits before it checks for room again. A flush takes longer.
FULL_PAUSE_SECONDS = 0.01
# How often the group's offsets are committed. Only lag tools read them.
COMMIT_SECONDS = 1.0
# How often the topic's identity is verified. A fetch that returns records has verified it, too.
IDENTITY_SECONDS = 30.0


class Worker:
    """Reads one topic as a member of the group."""

    def __init__(self, parts: Parts) -> None:
        self._source = parts.source
        self._parts = parts
        self._stop = asyncio.Event()
        self._retry = Retry(parts.settings.max_backoff_seconds, self._stop, parts.outages, parts.api)
        self._holdings = Holdings(parts, self._retry, self._forget)
        self._flushers = self._holdings.flushers
        self._health = Health(parts, self._holdings, self._retry)
        self._committed: dict[int, int] = {}
        self._committed_at = 0.0
        self._identity_at = 0.0

    def stop(self) -> None:
        """Ask `run` to end: finish the flushes in flight, leave the group."""
        self._stop.set()

    async def run(self) -> None:
        """Work until stopped. Raises UnknownLineage, and any error that ended a flusher."""
        await self._retry.until_done("Kafka", lambda: self._source.start(self._given))
        try:
            while not self._stop.is_set():
                await self._step()
        finally:
            await self._leave()

    async def _step(self) -> None:
        self._health.turned()
        self._holdings.raise_failure()
        await self._report()
        await self._verify_topic()
        if not may_fetch(self._buffered_bytes(), self._parts.settings.max_buffer_bytes):
            await self._parts.clock.sleep(FULL_PAUSE_SECONDS)
            return
        for partition, records in (await self._fetch()).items():
            if flusher := self._flushers.get(partition):
                flusher.offer(records)
        for partition, flusher in self._flushers.items():
            flusher.reached(self._source.reached(partition))

    async def _fetch(self) -> Mapping[int, Sequence[Record]]:
        part = f"fetch {self._parts.api}"
        try:
            fetched = await self._source.fetch(FETCH_SECONDS)
        except TopicChanged as changed:
            await self._retry.until_done("lineage", partial(self._refuse, changed.found))
        except (OutOfRange, LeaderChanged) as error:
            for partition in error.partitions:
                if flusher := self._flushers.get(partition):
                    flusher.resettle()
        except Damaged as error:
            for partition, reason in error.partitions.items():
                if flusher := self._flushers.get(partition):
                    flusher.damaged(reason)
        except Unavailable as error:
            self._parts.outages[error.server].lost(part, str(error))
            await self._parts.clock.sleep(FETCH_SECONDS)
        else:
            self._parts.outages["kafka"].back(part)
            return fetched
        self._parts.metrics.fetch_errors.labels(self._parts.api).inc()
        self._identity_at = 0.0
        return {}

    async def _verify_topic(self) -> None:
        """Verify, regularly and after every failed fetch, that the topic is still the same. Raises UnknownLineage."""
        now = self._parts.clock.wall_millis() / 1000
        if self._holdings.identity is None or now - self._identity_at < IDENTITY_SECONDS:
            return
        self._identity_at = now
        try:
            found = await asyncio.wait_for(self._source.identity(), FETCH_SECONDS * 10)
            if found != self._holdings.identity:
                await self._refuse(found)
        except (Unavailable, TimeoutError):
            self._parts.metrics.fetch_errors.labels(self._parts.api).inc()

    async def _refuse(self, found: TopicIdentity) -> None:
        """Stop, because all positions belong to another topic. Raises UnknownLineage, Unavailable."""
        lineage = await self._parts.store.lineage(found)
        raise UnknownLineage(f"topic {found.topic} is lineage {lineage} now: start this worker again")

    async def _leave(self) -> None:
        """Stop in order. A kill at any point is as safe as one during work: only the checkpoints count."""
        # 1. Finish the flushes in flight, in bounded time. The next owner reads the waiting records again.
        await self._holdings.close(self._parts.settings.stop_timeout_seconds)
        # 2. Leave the group, so that the others don't have to wait for the session to time out.
        await self._source.stop()

    def _given(self, share: frozenset[int]) -> None:
        self._parts.metrics.rebalances.labels(self._parts.api).inc()
        self._holdings.given(share)

    async def _forget(self, partitions: Sequence[int]) -> None:
        await self._commit_group_offsets()
        for partition in partitions:
            self._committed.pop(partition, None)

    # For the probes.

    def missing(self) -> list[Missing]:
        """What keeps it from being ready."""
        return self._health.missing()

    def alive(self) -> bool:
        """Whether a restart would not help."""
        return self._health.is_alive()

    def _buffered_bytes(self) -> int:
        return sum(flusher.buffered_bytes for flusher in self._flushers.values())

    async def _report(self) -> None:
        now = self._parts.clock.wall_millis()
        self._parts.metrics.buffered_bytes.labels(self._parts.api).set(self._buffered_bytes())
        for partition, flusher in self._flushers.items():
            if flusher.settled.is_set():
                self._report_lag(partition, flusher, now)
        if now / 1000 - self._committed_at >= COMMIT_SECONDS:
            self._committed_at = now / 1000
            await self._commit_group_offsets()

    def _report_lag(self, partition: int, flusher: Flusher, now_millis: int) -> None:
        lag = self._health.lag(partition, flusher)
        self._parts.metrics.uncommitted(self._parts.api, partition, self._source.uncommitted(partition))
        if lag is None:
            self._parts.metrics.lag_unknown(self._parts.api, partition)
            return
        age = lag_seconds(lag, flusher.oldest_waiting_millis, now_millis)
        self._parts.metrics.lag(self._parts.api, partition, lag, age)
        if not lag:
            flusher.progress_millis = now_millis

    async def _commit_group_offsets(self) -> None:
        """Write the group's offsets where they changed. Nothing depends on them, so a failure only adds to a metric."""
        positions = {p: f.checkpoint.next_offset for p, f in self._flushers.items() if f.checkpoint}
        if positions == self._committed or not positions:
            return
        try:
            await asyncio.wait_for(self._source.commit(positions), COMMIT_SECONDS)
            self._committed = positions
        except (Unavailable, TimeoutError):
            self._parts.metrics.fetch_errors.labels(self._parts.api).inc()
