"""Which partitions of a topic no worker reads: records wait there, and the checkpoint does not move.

The reason may be a worker that is stuck, one that is gone, or a new partition that no worker knows of yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# A large or retried flush takes some seconds. A checkpoint that does not move for longer has no worker.
STANDS_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class PartitionLook:
    """The offsets that can be read of a partition, and the next to be applied; None before anybody has taken it."""

    begin: int
    end: int
    next_offset: int | None

    @property
    def waiting(self) -> int:
        at = self.begin if self.next_offset is None else max(self.begin, self.next_offset)
        return max(0, self.end - at)


class UnreadPartitions:
    """Since when each checkpoint stands, though records wait."""

    def __init__(self, stands_seconds: float = STANDS_SECONDS) -> None:
        self._stands_seconds = stands_seconds
        self._stood: dict[int, tuple[int | None, float]] = {}

    def looked(self, found: Mapping[int, PartitionLook], now_seconds: float) -> dict[int, int]:
        """The waiting records by partition that no worker reads. `found`: all partitions, as they are now."""
        behind = {partition: look for partition, look in found.items() if look.waiting}
        stood = {p: self._stood.get(p, (look.next_offset, now_seconds)) for p, look in behind.items()}
        self._stood = {
            p: (at, since) if at == behind[p].next_offset else (behind[p].next_offset, now_seconds)
            for p, (at, since) in stood.items()
        }
        return {
            p: behind[p].waiting
            for p, (at, since) in sorted(self._stood.items())
            if at is None or now_seconds - since >= self._stands_seconds
        }
