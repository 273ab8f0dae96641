"""The requests that wait for the workers, and how far behind the workers are: book-keeping without I/O.

A checkpoint passes all offsets of its partition below it at once. Times are monotonic seconds.
"""

import asyncio
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from ingress.ports import Rejection, Totals
from schemas.coordinates import Coordinates, PartitionId

# One acknowledged record in this time is kept to measure the lag: it is accurate to a second.
SAMPLE_SECONDS = 1.0
# Samples of a partition: two hours of them. The oldest one gives the lag, so later ones are left out.
MAX_SAMPLES = 7_200


_NO_TOTALS: Final[Totals] = MappingProxyType({})


class WaitResult(msgspec.Struct, frozen=True):
    """What MongoDB says about a published record. Not passed: it is not counted yet, and not in the totals."""

    passed: bool = False
    totals: Totals = _NO_TOTALS
    rejection: Rejection | None = None
    reused: bool = False
    """The checkpoint has passed another record at these coordinates: the log was truncated, and no worker counts this
    record before an operator acts."""


NOTHING_KNOWN = WaitResult()


class Waiter(msgspec.Struct, frozen=True):
    """One request that waits until its record is counted, or until its deadline. `actor`: whose totals it needs."""

    coordinates: Coordinates
    actor: str | None
    deadline: float
    answer: asyncio.Future[WaitResult]
    append_millis: int | None = None

    def resolve(self, result: WaitResult) -> None:
        if not self.answer.done():
            self.answer.set_result(result)


class Due(NamedTuple):
    """Waiters to answer now: those whose record the checkpoint has passed, and those past their deadline."""

    passed: list[Waiter]
    late: list[Waiter]


class Waiters:
    """All requests that wait, by partition. A round looks at those that it answers, and not at the others."""

    def __init__(self) -> None:
        self._by_partition: dict[PartitionId, list[tuple[int, int, Waiter]]] = {}
        """Heaps by offset. The number tells those of one offset apart, so that no waiters are compared."""
        self._numbers = count()
        self._waiting = 0
        self._earliest = math.inf
        """No deadline is before this."""

    def __len__(self) -> int:
        return self._waiting

    def add(self, waiter: Waiter) -> None:
        coordinates = waiter.coordinates
        heap = self._by_partition.setdefault(coordinates.partition_id, [])
        heappush(heap, (coordinates.offset, next(self._numbers), waiter))
        self._waiting += 1
        self._earliest = min(self._earliest, waiter.deadline)

    def lineages(self) -> set[str]:
        return {partition.lineage for partition in self._by_partition}

    def take_due(self, checkpoints: Mapping[PartitionId, int], now: float) -> Due:
        """Remove and return the waiters that are due."""
        due = Due([], [])
        for partition, heap in tuple(self._by_partition.items()):
            next_offset = checkpoints.get(partition, 0)
            while heap and heap[0][0] < next_offset:
                due.passed.append(heappop(heap)[-1])
            if not heap:
                del self._by_partition[partition]
        self._waiting -= len(due.passed)
        if self._earliest <= now:
            for waiter in self.take_all():
                if waiter.deadline <= now:
                    due.late.append(waiter)
                else:
                    self.add(waiter)
        return due

    def take_all(self) -> list[Waiter]:
        taken = [waiter for heap in self._by_partition.values() for _, _, waiter in heap]
        self._by_partition.clear()
        self._waiting, self._earliest = 0, math.inf
        return taken


class _Acked(NamedTuple):
    offset: int
    at: float


@dataclass(slots=True)
class _Track:
    """Acknowledged records of one partition that its checkpoint hasn't passed: samples, and always the newest."""

    newest: _Acked
    samples: deque[_Acked]

    @property
    def oldest(self) -> _Acked:
        return self.samples[0] if self.samples else self.newest


class Lag:
    """Age of the oldest record that Kafka has acknowledged to this ingress and no checkpoint has passed."""

    def __init__(self) -> None:
        self._lineage: str | None = None
        self._tracks: dict[int, _Track] = {}
        self._oldest_at = math.inf
        """Of all tracks. Kept, because each request asks how old it is, and only a checkpoint makes it younger."""

    def __len__(self) -> int:
        return len(self._tracks)

    @property
    def lineage(self) -> str | None:
        """The lineage whose records are tracked."""
        return self._lineage

    def follow(self, lineage: str) -> None:
        """Track the records of this lineage, and forget those of another: no worker reads it any more."""
        if lineage != self._lineage:
            self._lineage = lineage
            self._tracks.clear()
            self._oldest_at = math.inf

    def acked(self, coordinates: Coordinates, now: float) -> None:
        self.follow(coordinates.lineage)
        acked = _Acked(coordinates.offset, now)
        track = self._tracks.get(coordinates.partition)
        if track is None:
            self._tracks[coordinates.partition] = _Track(acked, deque((acked,)))
            self._oldest_at = min(self._oldest_at, now)
            return
        if acked.offset > track.newest.offset:
            track.newest = acked
        samples = track.samples
        if not samples or (now - samples[-1].at >= SAMPLE_SECONDS and len(samples) < MAX_SAMPLES):
            samples.append(acked)

    def passed(self, checkpoints: Mapping[PartitionId, int]) -> None:
        """Forget what these checkpoints have passed."""
        for partition, track in tuple(self._tracks.items()):
            next_offset = checkpoints.get(PartitionId(self._lineage or "", partition), 0)
            if track.newest.offset < next_offset:
                del self._tracks[partition]
                continue
            while track.samples and track.samples[0].offset < next_offset:
                track.samples.popleft()
        self._oldest_at = min((track.oldest.at for track in self._tracks.values()), default=math.inf)

    def seconds(self, now: float) -> float:
        """Of the partition that is furthest behind; 0 if all records are passed."""
        return now - self._oldest_at if self._tracks else 0.0

    def seconds_of(self, partition: int, now: float) -> float:
        track = self._tracks.get(partition)
        return 0.0 if track is None else now - track.oldest.at
