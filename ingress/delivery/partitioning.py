"""Chooses the partition of a record: by the hash of its key, among the partitions that workers have claimed.

Partitions may be added while the system runs. Each ingress knows them within a second, the workers within a few
seconds. A worker writes a checkpoint when it claims a partition for the first time. So an ingress uses a new partition
only when the partition and all those before it have a checkpoint: no record waits in a partition that no worker reads.

Two ingresses may use different numbers of partitions for some seconds, and the records of one player then lie in two
partitions. That is safe: workers find a requestId whichever partition it came from.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from aiokafka.partitioner import murmur2

from schemas.coordinates import PartitionId
from schemas.records.envelope import MAX_SENDERS

# Called with key, all partitions, and those that have a leader.
Partitioner = Callable[[bytes, Sequence[int], object], int]


def partition_of_key(key: bytes, partitions: Sequence[int], _available: object) -> int:
    """The partition of a record, as aiokafka and Java's client choose it."""
    return partitions[_hash(key) % len(partitions)]


@lru_cache(MAX_SENDERS)
def _hash(key: bytes) -> int:
    """Of a sender's key. aiokafka hashes in Python, which takes 3 us, and the same senders send again and again."""
    return int(murmur2(key)) & 0x7FFFFFFF


class ClaimedPartitioner:
    """A partitioner of aiokafka's producer. While no checkpoint is known, it uses all partitions."""

    def __init__(self, lineage: Callable[[], str | None], checkpoints: Callable[[], Mapping[PartitionId, int]]) -> None:
        self._lineage = lineage
        self._checkpoints = checkpoints
        self._counted: str | None = None
        self._claimed = 0

    def __call__(self, key: bytes, partitions: Sequence[int], available: object) -> int:
        claimed = self.claimed()
        if 0 < claimed < len(partitions):
            partitions = sorted(partitions)[:claimed]
        return partition_of_key(key, partitions, available)

    def claimed(self) -> int:
        """How many partitions from 0 on have a checkpoint. They are only added in a lineage, so the count goes on."""
        lineage, checkpoints = self._lineage(), self._checkpoints()
        if lineage != self._counted:
            self._counted, self._claimed = lineage, 0
        while lineage is not None and PartitionId(lineage, self._claimed) in checkpoints:
            self._claimed += 1
        return self._claimed
