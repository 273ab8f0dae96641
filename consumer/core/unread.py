"""Which partitions of a topic no worker reads: records wait there, and the checkpoint does not move.

The reason may be a worker that is stuck, one that is gone, or a new partition that no worker knows of yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# A large or retried flush takes some seconds. A checkpoint that does not move for longer has no worker.
STANDS_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """Where a partition begins and ends, and the next offset to apply; None if no worker has taken it yet."""

    begin: int
    end: int
    next_offset: int | None

    @property
    def waiting(self) -> int:
        at = self.begin if self.next_offset is None else max(self.begin, self.next_offset)
        return max(0, self.end - at)


class UnreadPartitions:
    """Since when each checkpoint has not moved although records wait."""

    def __init__(self, stands_seconds: float = STANDS_SECONDS) -> None:
        self._stands_seconds = stands_seconds
        self._stood: dict[int, tuple[int | None, float]] = {}

    def update(self, found: Mapping[int, PartitionProgress], now_seconds: float) -> dict[int, int]:
        """Return the waiting records of each partition that no worker reads. `found`: all partitions now."""
        behind = {partition: progress for partition, progress in found.items() if progress.waiting}
        stood = {p: self._stood.get(p, (progress.next_offset, now_seconds)) for p, progress in behind.items()}
        self._stood = {
            p: (at, since) if at == behind[p].next_offset else (behind[p].next_offset, now_seconds)
            for p, (at, since) in stood.items()
        }
        return {
            p: behind[p].waiting
            for p, (at, since) in sorted(self._stood.items())
            if at is None or now_seconds - since >= self._stands_seconds
        }
