"""A flush: the records of one partition that are applied together, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from consumer.core.dead import Unreadable
from consumer.core.records import Record
from schemas.coordinates import PartitionId


class Decoded(Protocol):
    """A decoded record: a batch or a pool, judged or not, or an unreadable one. A topic holds one API's records."""

    @property
    def weight(self) -> int:
        """What it writes: a batch counts 1, a pool as many as it has items, and at least 1."""
        ...

    @property
    def stored_bytes(self) -> int:
        """What it makes MongoDB store; 0 where that is not more than the record's own size."""
        ...

    @property
    def received_millis(self) -> int | None:
        """When the ingress received it; None where no judged body says so."""
        ...


class FlushSize(NamedTuple):
    """How much a flush is, for the limits of one transaction."""

    records: int
    weight: int
    """Batches or items to plan."""
    stored_bytes: int
    """Of each record its own size, or what it makes MongoDB store where that is more."""


@dataclass(frozen=True, slots=True)
class Flush:
    """The records of one partition read since `start`, in order, and each decoded. Never empty."""

    partition: PartitionId
    start: int
    records: Sequence[Record]
    decoded: Sequence[Decoded]

    @property
    def end(self) -> int:
        """The next offset to apply, once this flush is applied."""
        return self.records[-1].offset + 1

    @property
    def size_bytes(self) -> int:
        """As read from the log."""
        return sum(len(record.value) for record in self.records)

    @property
    def size(self) -> FlushSize:
        weight = stored_bytes = 0
        for record, decoded in zip(self.records, self.decoded, strict=True):
            weight += decoded.weight
            stored_bytes += max(len(record.value), decoded.stored_bytes)
        return FlushSize(len(self.records), weight, stored_bytes)

    @property
    def unreadable(self) -> list[Unreadable]:
        return [decoded for decoded in self.decoded if isinstance(decoded, Unreadable)]

    @property
    def oldest_millis(self) -> int:
        return self.records[0].timestamp_millis

    def halves(self) -> tuple["Flush", "Flush"]:
        """The same records as two flushes, to be applied in this order. There must be two records."""
        middle = len(self.records) // 2
        first = Flush(self.partition, self.start, self.records[:middle], self.decoded[:middle])
        return first, Flush(self.partition, first.end, self.records[middle:], self.decoded[middle:])

    def as_dead(self, reason: str, *, bug: bool = False) -> "Flush":
        """The same records, all to be kept as dead letters."""
        dead = [Unreadable(record, reason, bug) for record in self.records]
        return Flush(self.partition, self.start, self.records, dead)
