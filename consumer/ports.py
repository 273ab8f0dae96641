"""What the worker needs of the world: a log to read, a store to write, a clock. Adapters: kafka, mongo, memory."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from consumer.core.gap import Gap
from consumer.core.plan import Flush, Known, WritePlan
from consumer.core.position import Bounds, Checkpoint
from consumer.core.records import Record
from schemas.coordinates import PartitionId

Plan = Callable[[Known], WritePlan]


class Unavailable(Exception):
    """Kafka or MongoDB didn't do it this time; nobody's record is at fault. Try the same again."""

    lost: bool = False
    """The server is lost to the whole process, and the log has said so."""


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


class Listener(Protocol):
    """Who is told which partitions are its own. Neither call may raise: the log would swallow it."""

    async def assigned(self, partitions: Iterable[int]) -> None: ...

    async def revoked(self, partitions: Iterable[int]) -> None: ...


class Log(Protocol):
    """The partitions of one topic, shared by a group of workers."""

    async def start(self, listener: Listener) -> None:
        """Join the group. Raises Unavailable."""
        ...

    async def identity(self) -> TopicIdentity:
        """Raises Unavailable."""
        ...

    async def fetch(self, timeout_seconds: float) -> Mapping[int, Sequence[Record]]:
        """Records by partition, in order; empty after `timeout_seconds`.

        All are of the topic that `identity` told first, and what can't be decoded is among them, with its fault. Raises
        TopicChanged, OutOfRange, Damaged, Unavailable; after the last two nothing is lost: what had been read comes
        with the next fetch.
        """
        ...

    def seek(self, partition: int, offset: int) -> None:
        """Read on from `offset`. Does nothing for a partition that isn't ours any more."""
        ...

    def hold(self, partition: int) -> None:
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

    async def apply(self, flush: Flush, plan: Plan) -> WritePlan:
        """Read what `plan` must know, plan, and write it, in one transaction. Returns the plan written.

        Raises Moved where the checkpoint isn't at flush.start; RecordRefused, FlushTooLarge or Collision where it
        can't be applied as it is; Unavailable where the outcome is unknown or nothing was written: apply the same
        flush again, and the checkpoint decides.
        """
        ...

    async def pass_over(self, gap: Gap) -> None:
        """Move the checkpoint over a gap. Raises Moved where it isn't at gap.start; Unavailable as `apply` does."""
        ...


class Clock(Protocol):
    def now_millis(self) -> int:
        """Wall clock, ms since 1970 UTC."""
        ...

    async def sleep(self, seconds: float) -> None: ...
