"""One partition of a worker: records in, flushes out, never two at a time.

    offer() -> Backlog: waiting --decode--> ready --flush--> applied

Decoding goes on while a flush is written. Smart batching: a flush starts as soon as there are records and none is in
flight, and takes all that is ready: small and quick when idle, large under load. After a lost race everything read
is dropped, the checkpoint asked, and the log read on from there.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from consumer.config import WorkerSettings
from consumer.core.backlog import Backlog
from consumer.core.decode import Batch
from consumer.core.plan import Flush, WritePlan, make_plan
from consumer.core.records import Record
from consumer.metrics import WorkerMetrics
from consumer.ports import Clock, Moved, Store
from consumer.retry import Retry
from schemas.coordinates import PartitionId
from schemas.settings import Limits
from schemas.signing import SigningKeys

log = structlog.get_logger()

# Records decoded between two looks at the event loop: at 50 us each well under the 100 ms that heartbeats allow.
DECODE_SLICE = 250


@dataclass(frozen=True, slots=True)
class Parts:
    """What all flushers of a worker share."""

    store: Store
    clock: Clock
    metrics: WorkerMetrics
    settings: WorkerSettings
    limits: Limits
    keys: SigningKeys
    owner: str


class Flusher:
    """Applies one partition from its checkpoint on, until it is closed."""

    def __init__(self, partition: PartitionId, parts: Parts, seek: Callable[[int, int], None]) -> None:
        self.partition = partition
        self.next_offset: int | None = None
        """The next offset to apply, as the checkpoint has it; None until it has been asked."""
        self.positioned = asyncio.Event()
        self._parts = parts
        self._seek = seek
        self._backlog = Backlog(parts.settings.max_flush_records, parts.settings.max_flush_bytes, parts.keys)
        self._in_flight: Flush | None = None
        self._may_decode = asyncio.Event()
        self._may_flush = asyncio.Event()
        self._closing = asyncio.Event()
        self._retry = Retry(parts.settings.max_backoff_seconds, self._closing)
        self._task = asyncio.create_task(self._run(), name=f"flusher {partition}")

    @property
    def buffered_bytes(self) -> int:
        """Bytes read and not applied."""
        return self._backlog.size_bytes + (self._in_flight.size_bytes if self._in_flight else 0)

    @property
    def oldest_waiting_millis(self) -> int | None:
        """Time of the oldest record read and not applied."""
        return self._in_flight.oldest_millis if self._in_flight else self._backlog.oldest_millis

    def failure(self) -> BaseException | None:
        """What ended this flusher, if anything but close() did: a bug, not an outage."""
        return self._task.exception() if self._task.done() and not self._task.cancelled() else None

    def offer(self, records: Sequence[Record]) -> None:
        """Records read from the log. Those read before the checkpoint was asked come from anywhere: dropped."""
        if self.positioned.is_set():
            self._backlog.offer(records)
            self._may_decode.set()

    async def close(self, timeout_seconds: float) -> None:
        """Finish the flush in flight, start no other. Past the timeout it is cut off: the checkpoint decides."""
        self._closing.set()
        self._may_decode.set()
        self._may_flush.set()
        await asyncio.wait((self._task,), timeout=timeout_seconds)
        self._task.cancel()
        await asyncio.wait((self._task,))

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as both:
            both.create_task(self._decode_loop())
            both.create_task(self._flush_loop())

    async def _decode_loop(self) -> None:
        while not self._closing.is_set():
            if self._backlog.decode_some(DECODE_SLICE):
                self._may_flush.set()
                await asyncio.sleep(0)
            else:
                self._may_decode.clear()
                await self._may_decode.wait()

    async def _flush_loop(self) -> None:
        await self._take_position()
        while not self._closing.is_set():
            if not self._backlog.has_ready:
                self._may_flush.clear()
                await self._may_flush.wait()
                await self._parts.clock.sleep(self._parts.settings.linger_seconds)
            await self._flush_ready()

    async def _take_position(self) -> None:
        """Drop what was read, ask the checkpoint, and read the log on from there."""
        self.positioned.clear()
        self._backlog.clear()
        store, owner = self._parts.store, self._parts.owner
        found = await self._retry.until_done("checkpoint", lambda: store.claim(self.partition, owner))
        if found is not None:
            self.next_offset = found
            self._seek(self.partition.partition, found)
            self.positioned.set()

    async def _flush_ready(self) -> None:
        """Take what is ready and apply it, however often that takes."""
        if self.next_offset is None:
            return
        flush = self._in_flight = self._backlog.take(self.partition, self.next_offset)
        self._may_decode.set()
        try:
            if flush and (written := await self._write(flush)):
                self._applied(flush, written)
        except Moved as moved:
            await self._lost(flush, moved.next_offset)
        finally:
            self._in_flight = None

    async def _write(self, flush: Flush) -> WritePlan | None:
        """The same flush again until it stands. None: closed meanwhile. Raises Moved."""
        plan = partial(make_plan, flush, limits=self._parts.limits)
        return await self._retry.until_done("flush", lambda: self._parts.store.apply(flush, plan))

    async def _lost(self, flush: Flush | None, next_offset: int) -> None:
        """The checkpoint has moved on: past this flush by a try whose answer got lost, or by another owner."""
        self._parts.metrics.flushes_failed.labels("moved").inc()
        if flush and next_offset == flush.end:
            self.next_offset = next_offset
            return
        log.info("checkpoint moved by another owner", partition=str(self.partition), next=next_offset)
        await self._take_position()

    def _applied(self, flush: Flush, written: WritePlan) -> None:
        self.next_offset = written.end
        now = self._parts.clock.now_millis()
        received = [decoded.received_millis for decoded in flush.decoded if isinstance(decoded, Batch)]
        self._parts.metrics.applied(written, received, now)
