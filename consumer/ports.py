"""What a worker needs from outside: a source of records and a store. Adapters: kafka/, mongo/, memory.py."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from consumer.core.gap import Gap
from consumer.core.plan import WritePlan
from consumer.core.position import Bounds, Checkpoint
from consumer.core.reads import Known, Reads
from consumer.core.records import Record
from schemas.coordinates import PartitionId

Plan = Callable[[Known], WritePlan]


class Unavailable(Exception):
    """Kafka or MongoDB could not do it this time. No record is at fault. Retry the same call.

    The message begins with the server's name.
    """

    @property
    def server(self) -> Literal["kafka", "mongodb"]:
        """Which of them is unavailable."""
        return "kafka" if str(self).startswith("Kafka") else "mongodb"

    lost: bool = True
    """Whether the whole process has lost the server. False where it answers and only this call must wait (a lock)."""


class Moved(Exception):
    """The checkpoint isn't where this flush starts: another owner applied records, or this flush, already."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        super().__init__(f"checkpoint stands at {checkpoint.next_offset}")


class RecordRefused(Exception):
    """A record of the flush can never be stored. Halving the flush finds it. `bug`: the error was unexpected."""

    def __init__(self, reason: str, *, bug: bool = False) -> None:
        self.bug = bug
        super().__init__(reason)


class FlushTooLarge(Exception):
    """The flush is too much for one transaction; its halves may not be."""


class Collision(Exception):
    """A document stands where a new one goes: a bug, or two lineages under one name. Nothing was written."""


class TooManyDead(Exception):
    """So many dead records that the settings must be wrong. The partition stops before it is all set aside."""


OURS = (Unavailable, Moved, RecordRefused, FlushTooLarge, Collision, TooManyDead)
"""What applying a flush may raise."""


class TopicChanged(Exception):
    """The topic isn't the one that `identity` returned first: it was deleted and created again under its name."""

    def __init__(self, found: "TopicIdentity") -> None:
        self.found = found
        super().__init__(str(found))


class OutOfRange(Exception):
    """These partitions were to be read from an offset that Kafka no longer has, or does not have yet."""

    def __init__(self, partitions: Sequence[int]) -> None:
        self.partitions = partitions
        super().__init__(f"partitions {partitions}")


class LeaderChanged(Exception):
    """These partitions have had a leader election: their log may now differ from what was read.

    The partitions are paused. The caller compares the last applied record with the log, and seeks again.
    """

    def __init__(self, partitions: Sequence[int]) -> None:
        self.partitions = partitions
        super().__init__(f"partitions {partitions}")


class Damaged(Exception):
    """What the broker sends of these partitions can't be read as records; why, by partition. Others go on."""

    def __init__(self, partitions: Mapping[int, str]) -> None:
        self.partitions = partitions
        super().__init__(str(partitions))


class UnknownLineage(Exception):
    """No lineage says what the topic's offsets mean. The message says what to do. A retry can't help."""


@dataclass(frozen=True, slots=True)
class TopicIdentity:
    """Which topic of which cluster, beyond its name: a topic that is deleted and created again has another id."""

    cluster: str
    topic: str
    topic_id: str


Given = Callable[[frozenset[int]], None]
"""Called with all partitions that are the member's from now on. Returns at once and raises nothing."""


class Membership(Protocol):
    """A member of the consumer group, which divides a topic's partitions among the workers. It reads no records.

    A rebalance in progress changes nothing. Only a new share takes partitions away.
    """

    @property
    def is_member(self) -> bool:
        """Whether the group has given it a share, and still knows it."""
        ...

    def start(self, given: Given) -> None:
        """Join, and stay a member, whatever happens. `given` is called with each share, also the same one again."""
        ...

    async def commit(self, positions: Mapping[int, int]) -> None:
        """Commit the group's offsets. Only lag tools read them. Raises Unavailable."""
        ...

    async def stop(self) -> None:
        """Leave the group."""
        ...


class RecordSource(Protocol):
    """The partitions of one topic, shared by a group of workers."""

    @property
    def is_member(self) -> bool:
        """Whether the group has given it a share of the partitions. The share may be empty."""
        ...

    async def start(self, given: Given) -> None:
        """Connect, and begin to join the group. `given` is called with each share. Raises Unavailable.

        Partitions that stay are read without a pause; new ones are paused until `seek`.
        """
        ...

    async def identity(self) -> TopicIdentity:
        """Raises Unavailable."""
        ...

    async def fetch(self, timeout_seconds: float) -> Mapping[int, Sequence[Record]]:
        """Records by partition, in order; empty after `timeout_seconds`.

        All are of the topic that `identity` returned first, and of the leader that the partition had at its `seek`.
        Records that can't be decoded are among them, each with its fault.

        Raises TopicChanged, LeaderChanged, OutOfRange, Damaged, Unavailable. After the last two nothing is lost: what
        had been read comes with the next fetch.
        """
        ...

    def seek(self, partition: int, offset: int) -> None:
        """Read on from `offset`. Does nothing for a partition that is not assigned any more."""
        ...

    def pause(self, partition: int) -> None:
        """Read nothing of this partition until `seek`. Newly assigned partitions start paused."""
        ...

    async def bounds(self, partition: int) -> Bounds:
        """The offsets the log holds now. Raises Unavailable."""
        ...

    def reached(self, partition: int) -> int | None:
        """`fetch` has returned every record below this offset, or `seek` skipped it; None where that isn't known."""
        ...

    def end_offset(self, partition: int) -> int | None:
        """The offset up to which records can be read now (the last stable one); None where that isn't known."""
        ...

    def uncommitted(self, partition: int) -> int | None:
        """Offsets behind the end that wait for a producer's transaction to end; None where that isn't known."""
        ...

    def unread_seconds(self, partition: int) -> float:
        """For how long no broker has answered fetches of this partition, not even that it has no new records."""
        ...

    def neglected_seconds(self, partition: int) -> float:
        """For how long it is not read though its broker answers other requests: the fault is this worker's. Else 0."""
        ...

    def unreachable_seconds(self) -> float:
        """For how long no broker has answered anything."""
        ...

    async def commit(self, positions: Mapping[int, int]) -> None:
        """Commit the group's offsets. Only lag tools read them. Raises Unavailable."""
        ...

    async def stop(self) -> None:
        """Leave the group."""
        ...


class Store(Protocol):
    """The documents. Every write of a flush happens in `apply`, whole or not at all."""

    async def lineage(self, topic: TopicIdentity) -> str:
        """The lineage of this topic's offsets. Raises UnknownLineage, Unavailable."""
        ...

    async def claim(self, partition: PartitionId, owner: str) -> Checkpoint:
        """Make `owner` the owner of the partition, end what its last owner left open, and return the checkpoint.

        Raises Unavailable.
        """
        ...

    async def release(self, partition: PartitionId) -> None:
        """Give the partition up. Never raises."""
        ...

    async def note_stopped(self, partition: PartitionId, reason: str) -> None:
        """Write why a partition has stopped, for operators. `claim` clears the note. Raises Unavailable."""
        ...

    async def apply(self, reads: Reads, plan: Plan) -> WritePlan:
        """Read what `reads` names, give it to `plan`, and write the result, all in one transaction. Returns the plan.

        `plan` is pure and may be called again. Raises what it raises.
        Raises Moved where the checkpoint isn't at the plan's start; RecordRefused, FlushTooLarge or Collision where it
        can't be applied as it is; Unavailable where the outcome is unknown or nothing was written: apply the same
        flush again, and the checkpoint decides.
        """
        ...

    async def pass_over(self, gap: Gap) -> None:
        """Move the checkpoint over a gap. Raises Moved where it isn't at gap.start; Unavailable as `apply` does."""
        ...
