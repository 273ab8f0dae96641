"""What one step of the observer has read, as it was read. Pure data.

Checkpoints are read before the ends of the logs, so that no checkpoint is beyond its end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from console.observer.snapshot import Check

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Silent:
    """A server that did not answer, and why: a clause without its full stop."""

    reason: str


@dataclass(frozen=True, slots=True)
class MongoFacts:
    """`lineages` and `checkpoints` (by `_id`): the documents. `dead_letters_open` is by lineage.

    None: not known.
    """

    lineages: Sequence[Document] = ()
    checkpoints: Mapping[str, Document] = field(default_factory=dict)
    dead_letters_open: Mapping[str, int] | None = None
    refused_per_second: Mapping[str, float] | None = None
    checks: Mapping[str, Check] = field(default_factory=dict)

    def newest(self, topic: str) -> Document | None:
        """The present lineage of a topic."""
        ours = [one for one in self.lineages if one["topic"] == topic]
        return max(ours, key=lambda one: one["generation"], default=None)

    def checkpoints_of(self, lineage: str) -> dict[int, Document]:
        """By partition."""
        named = (key.rpartition("/") for key in self.checkpoints)
        return {int(number): self.checkpoints[f"{owner}/{number}"] for owner, _, number in named if owner == lineage}


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """One topic as Kafka has it. Without an identity it does not exist.

    `bounds`: the first offset of each partition and the one after the last that can be read; None where its leader did
    not answer. `oldest_millis`: the time of the record at the checkpoint, of partitions that lag; a partition that lags
    and is not here is unknown. `owned`: the partitions that the consumer group has given to a worker; None: not known.
    """

    cluster: str = ""
    topic_id: str = ""
    bounds: Mapping[int, tuple[int, int] | None] = field(default_factory=dict)
    oldest_millis: Mapping[int, int] = field(default_factory=dict)
    owned: frozenset[int] | None = None

    @property
    def exists(self) -> bool:
        return bool(self.topic_id)

    def is_of(self, lineage: Document) -> bool:
        """Whether the offsets of `lineage` are offsets of this very topic."""
        return (self.cluster, self.topic_id) == (lineage["cluster"], lineage["topicId"])

    @property
    def known_bounds(self) -> dict[int, tuple[int, int]] | None:
        """The bounds of all partitions; None if one is not known."""
        found = {number: one for number, one in self.bounds.items() if one is not None}
        return found if len(found) == len(self.bounds) else None


@dataclass(frozen=True, slots=True)
class Facts:
    """One step. `kafka` is by topic, and None in a console without kafka.bootstrap_servers."""

    at_millis: int
    mongodb: MongoFacts | Silent
    kafka: Mapping[str, TopicFacts] | Silent | None
