"""What the worker needs of the world: a log to read, a store to write, a clock. Adapters: kafka, mongo, memory."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from consumer.core.plan import Flush, Known, WritePlan
from consumer.core.records import Record
from schemas.coordinates import PartitionId

Plan = Callable[[Known], WritePlan]


class Unavailable(Exception):
    """Kafka or MongoDB didn't do it this time; nobody's record is at fault. Try the same again."""


class Moved(Exception):
    """The checkpoint isn't where this flush starts: another owner applied records, or this flush, already."""

    def __init__(self, next_offset: int) -> None:
        self.next_offset = next_offset
        super().__init__(f"checkpoint stands at {next_offset}")


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
        """Records by partition, in order; empty after `timeout_seconds`. Raises Unavailable."""
        ...

    def seek(self, partition: int, offset: int) -> None:
        """Read on from `offset`. Does nothing for a partition that isn't ours any more."""
        ...

    def end_offset(self, partition: int) -> int | None:
        """The offset after the last record, as far as known."""
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

    async def claim(self, partition: PartitionId, owner: str) -> int:
        """The next offset to apply, now that `owner` has the partition. Raises Unavailable."""
        ...

    async def apply(self, flush: Flush, plan: Plan) -> WritePlan:
        """Read what `plan` must know, plan, and write it, in one transaction. Returns the plan written.

        Raises Moved where the checkpoint isn't at flush.start, Unavailable where the outcome is unknown or nothing
        was written: apply the same flush again, and the checkpoint decides.
        """
        ...


class Clock(Protocol):
    def now_millis(self) -> int:
        """Wall clock, ms since 1970 UTC."""
        ...

    async def sleep(self, seconds: float) -> None: ...
