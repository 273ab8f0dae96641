"""What the worker needs of the world: a log to read, a store to write, a clock. Adapters: kafka, mongo, memory."""

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
    """Kafka or MongoDB didn't do it this time; nobody's record is at fault. Try the same again.

    The message begins with the server's name.
    """

    @property
    def server(self) -> Literal["kafka", "mongodb"]:
        """Which of them is unavailable."""
        return "kafka" if str(self).startswith("Kafka") else "mongodb"

    lost: bool = True
    """Whether the server is lost to the whole process. Not where it answers, but holds this one call up (a lock)."""


class Moved(Exception):
    """The checkpoint isn't where this flush starts: another owner applied records, or this flush, already."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        super().__init__(f"checkpoint stands at {checkpoint.next_offset}")


class RecordRefused(Exception):
    """A record of the flush can't be stored, now or ever; which one, halving tells. `bug`: nobody foresaw why."""

    def __init__(self, reason: str, *, bug: bool = False) -> None:
        self.bug = bug
        super().__init__(reason)


class FlushTooLarge(Exception):
    """The flush is too much for one transaction; its halves may not be."""


class Collision(Exception):
    """A document stands where a new one goes: a bug, or two lineages under one name. Nothing was written."""


class TooManyDead(Exception):
    """More dead records than can be the records' fault. Their partition stops before all of it is set aside."""


OURS = (Unavailable, Moved, RecordRefused, FlushTooLarge, Collision, TooManyDead)
"""What applying a flush may raise."""


class TopicChanged(Exception):
    """The topic isn't the one that `identity` told first: it was made anew under its name."""

    def __init__(self, found: "TopicIdentity") -> None:
        self.found = found
        super().__init__(str(found))


class OutOfRange(Exception):
    """The log no longer holds, or does not yet hold, the offset these partitions were to be read from."""

    def __init__(self, partitions: Sequence[int]) -> None:
        self.partitions = partitions
        super().__init__(f"partitions {partitions}")


class LeaderChanged(Exception):
    """Other brokers lead these partitions now, or the same ones anew: what they hold may differ from what was read.

    The partitions are paused. What was read before the election may be compared with what is there now.
    """

    def __init__(self, partitions: Sequence[int]) -> None:
        self.partitions = partitions
        super().__init__(f"partitions {partitions}")


class Damaged(Exception):
    """What the broker gives of these partitions can't be records; why, by partition. The others are read on."""

    def __init__(self, partitions: Mapping[int, str]) -> None:
        self.partitions = partitions
        super().__init__(str(partitions))


class UnknownLineage(Exception):
    """No lineage says what the topic's offsets mean. The message says what to do. Not to be tried again."""


@dataclass(frozen=True, slots=True)
class TopicIdentity:
    """Which topic of which cluster, beyond its name: a topic made anew under the same name has another id."""

    cluster: str
    topic: str
    topic_id: str


Given = Callable[[frozenset[int]], None]
"""Called with all partitions that are the member's from now on. Returns at once and raises nothing."""


class Membership(Protocol):
    """A member of the group that shares a topic's partitions out. It reads nothing.

    A rebalance takes nothing away while it lasts: only a new share does.
    """

    @property
    def is_member(self) -> bool:
        """Whether the group has given it a share, and still knows it."""
        ...

    def start(self, given: Given) -> None:
        """Join, and stay a member, whatever happens. `given` is called with each share, also the same one again."""
        ...

    async def commit(self, positions: Mapping[int, int]) -> None:
        """Write the group's offsets, for lag tools alone. Raises Unavailable."""
        ...

    async def stop(self) -> None:
        """Leave the group."""
        ...


class RecordSource(Protocol):
    """The partitions of one topic, shared by a group of workers."""

    @property
    def is_member(self) -> bool:
        """Whether it has a share of the partitions, be it an empty one."""
        ...

    async def start(self, given: Given) -> None:
        """Connect, and begin to join the group. `given` is called with each share. Raises Unavailable.

        A partition that stays goes on being read; one that is new is held until it is sought.
        """
        ...

    async def identity(self) -> TopicIdentity:
        """Raises Unavailable."""
        ...

    async def fetch(self, timeout_seconds: float) -> Mapping[int, Sequence[Record]]:
        """Records by partition, in order; empty after `timeout_seconds`.

        All are of the topic that `identity` told first, and of the leaders that held the partition when it was sought;
        what can't be decoded is among them, with its fault. Raises TopicChanged, LeaderChanged, OutOfRange, Damaged,
        Unavailable; after the last two nothing is lost: what had been read comes with the next fetch.
        """
        ...

    def seek(self, partition: int, offset: int) -> None:
        """Read on from `offset`. Does nothing for a partition that isn't ours any more."""
        ...

    def pause(self, partition: int) -> None:
        """Read nothing of this partition until it is sought; so is every one that is newly assigned."""
        ...

    async def bounds(self, partition: int) -> Bounds:
        """The offsets the log holds now. Raises Unavailable."""
        ...

    def reached(self, partition: int) -> int | None:
        """Every record below this offset has been given out by `fetch`, or sought past; None where that isn't known."""
        ...

    def end_offset(self, partition: int) -> int | None:
        """The offset up to which records can be read now (the last stable one); None where that isn't known."""
        ...

    def uncommitted(self, partition: int) -> int | None:
        """Offsets behind the end that wait for a producer's transaction to end; None where that isn't known."""
        ...

    def unread_seconds(self, partition: int) -> float:
        """For how long its records have been asked for in vain: no broker gives any, nor says that there are none."""
        ...

    def is_neglected(self, partition: int) -> bool:
        """Whether the broker that has to give it answers other questions: then we are at fault, not the broker."""
        ...

    def unreachable_seconds(self) -> float:
        """For how long no broker has answered anything."""
        ...

    async def commit(self, positions: Mapping[int, int]) -> None:
        """Tell the group's offsets, for lag tools alone. Raises Unavailable."""
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
        """The checkpoint, now that `owner` has the partition; what its last owner left open is ended.

        Raises Unavailable.
        """
        ...

    async def release(self, partition: PartitionId) -> None:
        """Let go of the partition: its owner is done. Never raises."""
        ...

    async def note_stopped(self, partition: PartitionId, reason: str) -> None:
        """Write down why a partition stands still, for people; claiming it clears the note. Raises Unavailable."""
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
