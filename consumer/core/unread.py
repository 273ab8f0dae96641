"""Which partitions of a topic nobody reads: records wait there, and no checkpoint moves over them.

Whoever should read them: a worker that has them, one that is not there, or none that has heard of a new partition.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# A flush that is large, or tried again, takes some seconds. A checkpoint that stands for longer has nobody to move it.
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
        """The records that wait, by partition that nobody reads, after this look at all partitions."""
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
