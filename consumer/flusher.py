"""One partition of a worker: records in, flushes out, never two at a time.

    offer() -> Backlog: waiting --decode--> ready --flush--> applied

Decoding continues while a flush is written. A flush starts as soon as there are records and no other is in flight, and
takes all that is ready: it is small when the worker is idle, and large under load. While few are ready, a partition
rests between two flushes (core/policy.py). If another owner moved the checkpoint, all buffered records are dropped and
reading starts again at the checkpoint. An error that a retry can't mend stops this partition alone, until an operator
acts.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter

import structlog

from consumer.core.backlog import Backlog
from consumer.core.flush import Flush
from consumer.core.gap import Gap, gap_of
from consumer.core.plan import WritePlan
from consumer.core.policy import CannotApply, instead_of_refused, instead_of_too_large, rest_seconds, suspects_of
from consumer.core.position import Checkpoint, LogDamaged, LogTruncated, verify_first, verify_next, where_to_read
from consumer.core.reads import Known
from consumer.core.reasons import short
from consumer.core.records import Record
from consumer.parts import Parts
from consumer.ports import Collision, FlushTooLarge, Moved, RecordRefused, TooManyDead
from consumer.record_faults import records_fault
from consumer.retry import Retry
from schemas.checkpoints import Fingerprint
from schemas.coordinates import Coordinates, PartitionId
from schemas.visible import visible_buckets

log = structlog.get_logger()

_accepted_millis = attrgetter("timestamp_millis")

# Records decoded before the event loop runs other tasks: some 5 ms. Heartbeats tolerate 100 ms.
DECODE_SLICE = 250


class Flusher:
    """Applies one partition from its checkpoint on, until it is closed."""

    def __init__(self, partition: PartitionId, parts: Parts) -> None:
        self.partition = partition
        self.checkpoint: Checkpoint | None = None
        """The store's checkpoint. None until it has been read."""
        self.positioned = asyncio.Event()
        self.settled = asyncio.Event()
        """Set once it reads from its checkpoint, or has stopped. Readiness waits for this."""
        self.stopped: str | None = None
        """Why this partition has stopped. None while it works."""
        self.progress_millis = parts.clock.wall_millis()
        """When it last applied records, or had none to apply."""
        self._parts = parts
        self._rules = rules = parts.rules
        self._backlog = Backlog(
            parts.settings.max_flush_records, parts.settings.max_flush_bytes, rules.keys, rules.decode
        )
        self._in_flight: Flush | None = None
        self._in_flight_bytes = 0
        self._expected: Fingerprint | None = None
        self._log_fault: LogTruncated | LogDamaged | None = None
        self._reached: int | None = None
        self._visible: Mapping[str, int] = {}
        self._may_decode = asyncio.Event()
        self._may_flush = asyncio.Event()
        self._closing = asyncio.Event()
        self._retry = Retry(parts.settings.max_backoff_seconds, self._closing, parts.outages, str(partition))
        self._task = asyncio.create_task(self._run(), name=f"flusher {partition}")

    @property
    def buffered_bytes(self) -> int:
        """Bytes read and not applied."""
        return self._backlog.size_bytes + self._in_flight_bytes

    @property
    def oldest_waiting_millis(self) -> int | None:
        """Time of the oldest record read and not applied."""
        return self._in_flight.oldest_millis if self._in_flight else self._backlog.oldest_millis

    @property
    def is_retrying(self) -> bool:
        """Whether it retries because a server is unavailable."""
        return self._retry.is_retrying

    def retrying_seconds(self) -> Mapping[str, float]:
        """For how many seconds it has been retrying, by server."""
        return self._retry.retrying_seconds()

    def failure(self) -> BaseException | None:
        """What ended this flusher, if anything but close() did: a bug, or too many dead, not an outage."""
        if not self._task.done() or self._task.cancelled():
            return None
        found = self._task.exception()
        return found.exceptions[0] if isinstance(found, BaseExceptionGroup) else found

    def offer(self, records: Sequence[Record]) -> None:
        """Records read from the log. Dropped while the position is not set: they may be of any offset."""
        if not self.positioned.is_set() or not records:
            return
        try:
            records = self._verified(records)
        except LogTruncated as lost:
            self._log_fault = lost
            self._may_flush.set()
            return
        self._backlog.offer(records)
        self._may_decode.set()

    def _verified(self, records: Sequence[Record]) -> Sequence[Record]:
        """The records without the one that only proves that the log is the same. Raises LogTruncated if it is not."""
        if self._expected:
            verify_first(self._expected, records[0])
            self._expected, records = None, records[1:]
        if records and self._backlog.oldest_millis is None and self._in_flight is None and self.checkpoint:
            verify_next(self.checkpoint.next_offset, records[0])
        return records

    def reached(self, offset: int | None) -> None:
        """All records below `offset` have been offered. Offsets without a record are passed over.

        Ignored while the position is not set: the source still reads from another one.
        """
        self._reached = offset if self.positioned.is_set() else None
        if self._gap():
            self._may_flush.set()

    def damaged(self, reason: str) -> None:
        """What the broker sends next can't be read as records. The partition stops and drops its buffer."""
        self._log_fault = LogDamaged(reason)
        self._may_flush.set()

    def resettle(self) -> None:
        """Check the log against the checkpoint again, and read from there.

        Called when the next offset is not in the log, or when the partition has had a leader election.
        """
        self.positioned.clear()
        self._may_flush.set()

    async def close(self, timeout_seconds: float) -> None:
        """Finish the flush in flight, and start no other. After the timeout it is cancelled; the checkpoint decides."""
        self._closing.set()
        self._may_decode.set()
        self._may_flush.set()
        await asyncio.wait((self._task,), timeout=timeout_seconds)
        self._task.cancel()
        await asyncio.wait((self._task,))
        await self._parts.store.release(self.partition)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as both:
            both.create_task(self._decode_loop())
            both.create_task(self._flush_loop())

    async def _decode_loop(self) -> None:
        backlog = self._backlog
        while not self._closing.is_set():
            if backlog.decode_some(DECODE_SLICE):
                self._may_flush.set()
                await asyncio.sleep(0)
            elif large := backlog.next_large():
                backlog.accept(large, await asyncio.to_thread(self._rules.decode, large, self._rules.keys))
                self._may_flush.set()
            else:
                self._may_decode.clear()
                await self._may_decode.wait()

    async def _flush_loop(self) -> None:
        store, owner = self._parts.store, self._parts.owner
        claimed = await self._retry.until_done("checkpoint", lambda: store.claim(self.partition, owner))
        try:
            if claimed:
                await self._take_position(claimed)
            while not self._closing.is_set():
                await self._step()
        except (LogTruncated, LogDamaged, CannotApply, Collision, TooManyDead) as error:
            if isinstance(error, LogTruncated):
                self._parts.metrics.lost(self._parts.api, self.partition.partition, error.offsets)
            await self._stop_partition(f"{type(error).__name__}: {error}")

    async def _step(self) -> None:
        """Flush the ready records, or wait for some."""
        clock = self._parts.clock
        if self._log_fault:
            raise self._log_fault
        if self.checkpoint and not self.positioned.is_set():
            await self._take_position(self.checkpoint)
        if gap := self._gap():
            await self._pass_over(gap)
        if not self._backlog.has_ready:
            self._may_flush.clear()
            await self._may_flush.wait()
            await clock.sleep(self._parts.settings.linger_seconds)
        began = clock.monotonic_seconds()
        await self._flush_ready()
        if rest := rest_seconds(self._backlog.ready_weight, clock.monotonic_seconds() - began):
            await clock.sleep(rest)

    def _gap(self) -> Gap | None:
        """The offsets without a record between the checkpoint and the reading position, if no record waits."""
        if self._expected or self.checkpoint is None or self._backlog.oldest_millis is not None:
            return None
        return gap_of(self.partition, self.checkpoint.next_offset, self._reached)

    async def _pass_over(self, gap: Gap) -> None:
        """Move the checkpoint over a gap. If it is there already, an earlier try did it, and its answer was lost."""
        try:
            await self._retry.until_done("gap", lambda: self._parts.store.pass_over(gap))
        except Moved as moved:
            if moved.checkpoint.next_offset != gap.end:
                await self._overtaken(moved.checkpoint)
                return
        if self.checkpoint and not self._closing.is_set():
            self.checkpoint = Checkpoint(gap.end, self.checkpoint.last)
            self.progress_millis = self._parts.clock.wall_millis()
            self._parts.metrics.gaps.labels(self._parts.api).inc(gap.offsets)

    async def _take_position(self, checkpoint: Checkpoint) -> None:
        """Drop what was read, and read from the checkpoint. Raises LogTruncated."""
        self.positioned.clear()
        self._backlog.clear()
        self._reached = None
        self.checkpoint = checkpoint
        source, number = self._parts.source, self.partition.partition
        bounds = await self._retry.until_done("bounds", lambda: source.bounds(number))
        if bounds:
            start = where_to_read(checkpoint, bounds)
            self._expected = start.expected
            source.seek(number, start.offset)
            self.positioned.set()
            self.settled.set()
            self.progress_millis = self._parts.clock.wall_millis()

    async def _flush_ready(self) -> None:
        """Apply the ready records: as one flush, or as the parts it is divided into. Raises CannotApply, Collision."""
        flush = self.checkpoint and self._backlog.take(self.partition, self.checkpoint.next_offset)
        self._may_decode.set()
        todo = [flush] if flush else []
        try:
            while todo:
                self._in_flight = todo.pop()
                # Summed once a flush: the worker reads it many times a second.
                self._in_flight_bytes = self._in_flight.size_bytes
                todo += reversed(await self._apply(self._in_flight))
        except Moved as moved:
            await self._overtaken(moved.checkpoint)
        finally:
            self._in_flight, self._in_flight_bytes = None, 0

    async def _apply(self, flush: Flush) -> Sequence[Flush]:
        """Apply one flush. Returns the flushes to apply instead, in order, if it can't be as it is. Raises Moved."""
        try:
            with self._parts.spans(flush):
                written = await self._attempted(flush)
        except RecordRefused as refused:
            self._parts.metrics.flushes_failed.labels(self._parts.api, "refused").inc()
            return instead_of_refused(flush, short(str(refused)), bug=refused.bug)
        except FlushTooLarge as too_large:
            self._parts.metrics.flushes_failed.labels(self._parts.api, "too_large").inc()
            parts = instead_of_too_large(flush, str(too_large))
            if parts == (flush,):
                log.warning("flush_postponed", partition=str(self.partition), offset=flush.start, reason=str(too_large))
                await self._parts.clock.sleep(self._parts.settings.max_backoff_seconds)
            return parts
        except Moved as moved:
            # An earlier try has done it, and its answer was lost.
            self._parts.metrics.flushes_failed.labels(self._parts.api, "moved").inc()
            if moved.checkpoint.next_offset != flush.end:
                raise
            self.checkpoint, self._visible = moved.checkpoint, {}
        else:
            if written:
                self._applied(flush, written)
        return ()

    async def _attempted(self, flush: Flush) -> WritePlan | None:
        """What was written; None if it was stopped before. Raises RecordRefused, FlushTooLarge, Moved."""
        plan = partial(self._plan, flush)
        with records_fault("asking for"):
            reads = self._rules.planner.reads_of(flush)
        return await self._retry.until_done("flush", lambda: self._parts.store.apply(reads, plan))

    def _plan(self, flush: Flush, known: Known) -> WritePlan:
        rules = self._rules
        with records_fault("planning"):
            planned = rules.planner.make_plan(flush, known, rules.limits)
        suspects = suspects_of(flush, rules.keys)
        if not rules.dead_ratio.admits(suspects, len(flush.records)):
            raise TooManyDead(
                f"offsets {flush.start} to {flush.end - 1}: {suspects} records that no ingress has signed"
            )
        return replace(planned, checkpoint=replace(planned.checkpoint, visible=self._visible))

    async def _overtaken(self, checkpoint: Checkpoint) -> None:
        log.info("partition_overtaken", partition=str(self.partition), offset=checkpoint.next_offset)
        await self._take_position(checkpoint)

    async def _stop_partition(self, why: str) -> None:
        """Stop this partition. Say why in the log, in the metrics and in the checkpoint."""
        reason = short(why)
        self.stopped = reason
        self.settled.set()
        self.positioned.clear()
        self._backlog.clear()
        self._parts.source.pause(self.partition.partition)
        self._parts.metrics.stopped.labels(self._parts.api, str(self.partition.partition)).set(1)
        log.error("partition_stopped", partition=str(self.partition), reason=reason)
        store = self._parts.store
        await self._retry.until_done("note", lambda: store.note_stopped(self.partition, reason))

    def _applied(self, flush: Flush, written: WritePlan) -> None:
        self.checkpoint = Checkpoint(written.checkpoint.end, written.checkpoint.last)
        now = self.progress_millis = self._parts.clock.wall_millis()
        self._rules.dead_ratio.applied(suspects_of(flush, self._rules.keys), len(flush.records))
        received = [millis for one in flush.decoded if (millis := one.received_millis) is not None]
        self._parts.metrics.applied(self._parts.api, written, received, now)
        self._visible = visible_buckets(flush.records, _accepted_millis, now)
        for bug in (dead for dead in flush.unreadable if dead.bug):
            self._parts.metrics.bugs.labels(self._parts.api).inc()
            log.error(
                "record_set_aside", record=str(Coordinates(*self.partition, bug.record.offset)), reason=bug.reason
            )
