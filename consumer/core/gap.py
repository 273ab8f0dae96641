"""Offsets at the end of what can be read that hold no record: the checkpoint moves over them by itself.

Transactions of producers leave control records, aborted records and so on. Between two records they are part of the
flush that passes them; behind the last one nothing else would ever pass them: the partition would seem to be behind for
ever, and once retention removes them, to have lost records.
"""

from dataclasses import dataclass

from schemas.coordinates import PartitionId


@dataclass(frozen=True, slots=True)
class Gap:
    """From `start`, where the checkpoint stands, to below `end` there is no record. Never empty."""

    partition: PartitionId
    start: int
    end: int

    @property
    def offsets(self) -> int:
        return self.end - self.start


def gap_of(partition: PartitionId, next_offset: int, reached: int | None) -> Gap | None:
    """The gap between what is applied and what has been read, where nothing that was read waits to be applied."""
    return Gap(partition, next_offset, reached) if reached is not None and reached > next_offset else None
