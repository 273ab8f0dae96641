"""The partitions that a worker holds: taken over and given up as the group shares them out, one by one.

Only partitions that a new share takes away are given up. Those that stay are not interrupted: they keep their position,
their buffer and the flush in flight. For a moment two workers may hold one partition; the checkpoint's compare-and-set
decides between them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from consumer.flusher import Flusher
from consumer.parts import Parts
from consumer.ports import TopicIdentity
from consumer.retry import Retry
from schemas.coordinates import PartitionId

log = structlog.get_logger()

OnClosed = Callable[[Sequence[int]], Awaitable[None]]
"""Called with the partitions of closed flushers, before they are removed."""


class Holdings:
    """Flushers by partition. The source calls `given` with each share."""

    def __init__(self, parts: Parts, retry: Retry, on_closed: OnClosed) -> None:
        self.flushers: dict[int, Flusher] = {}
        self.identity: TopicIdentity | None = None
        """The topic of these partitions; None until the first was taken over."""
        self.lineage_asked_millis: int | None = None
        self._parts = parts
        self._retry = retry
        self._on_closed = on_closed
        self._share: frozenset[int] | None = None
        self._taking_over: asyncio.Task[None] | None = None
        self._giving_up: dict[int, asyncio.Task[None]] = {}
        self._ended: set[asyncio.Task[None]] = set()
        self._is_closed = False

    @property
    def has_share(self) -> bool:
        """Whether a share has been given, be it empty."""
        return self._share is not None

    @property
    def unsettled(self) -> frozenset[int]:
        """Partitions of the share that are neither read nor stopped yet."""
        settled = {p for p, one in self.flushers.items() if one.settled.is_set()} - self._giving_up.keys()
        return (self._share or frozenset()) - settled

    def given(self, share: frozenset[int]) -> None:
        """Give up what is lost, take over what is new. Returns at once."""
        if self._is_closed:
            return
        lost = self.flushers.keys() - share - self._giving_up.keys()
        log.info(
            "partitions_assigned",
            api=self._parts.api,
            partitions=sorted(share),
            new=sorted(share - self.flushers.keys()),
            lost=sorted(lost),
        )
        self._share = share
        for partition in lost:
            self._giving_up[partition] = asyncio.create_task(self._give_up(partition), name=f"give up {partition}")
        self._take_what_is_new()

    def raise_failure(self) -> None:
        """Raise the error that ended a flusher, or the task that makes them. It ends the worker, so that it is seen."""
        for task in (self._taking_over, *self._ended):
            if task and task.done() and not task.cancelled():
                task.result()
        self._ended.clear()
        for flusher in self.flushers.values():
            if failure := flusher.failure():
                raise failure

    async def close(self, timeout_seconds: float) -> None:
        """Give up all partitions, in bounded time. Later shares are ignored."""
        self._is_closed = True
        self._share = frozenset()
        if self._taking_over:
            self._taking_over.cancel()
        if self._giving_up:
            await asyncio.wait(self._giving_up.values())
        await self._close(list(self.flushers), timeout_seconds)

    def _take_what_is_new(self) -> None:
        if self._new() and (self._taking_over is None or self._taking_over.done()):
            self._taking_over = asyncio.create_task(self._take_over(), name="take over")

    def _new(self) -> frozenset[int]:
        return (self._share or frozenset()) - self.flushers.keys()

    async def _take_over(self) -> None:
        """Make a flusher for each new partition. If a server is unavailable, only this waits for it."""
        self.lineage_asked_millis = self._parts.clock.wall_millis()
        try:
            lineage = await self._retry.until_done("lineage", self._lineage)
        finally:
            self.lineage_asked_millis = None
        if lineage is not None:
            # Not those that the share has lost in the meantime.
            self.flushers.update({p: Flusher(PartitionId(lineage, p), self._parts) for p in self._new()})

    async def _lineage(self) -> str:
        self.identity = await self._parts.source.identity()
        return await self._parts.store.lineage(self.identity)

    async def _give_up(self, partition: int) -> None:
        try:
            await self._close([partition], self._parts.settings.session_timeout_seconds / 2)
        finally:
            self._ended.add(self._giving_up.pop(partition))
        self._take_what_is_new()  # the share may hold it again

    async def _close(self, partitions: Sequence[int], timeout_seconds: float) -> None:
        await asyncio.gather(*(self.flushers[p].close(timeout_seconds) for p in partitions))
        await self._on_closed(partitions)
        for partition in partitions:
            del self.flushers[partition]
        self._parts.metrics.forget(self._parts.api, partitions)
