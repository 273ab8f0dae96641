"""What the ingress needs of the world: a topic to publish to, a store to read. Adapters: publish, mongo, memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from schemas.coordinates import Coordinates, PartitionId
from schemas.documents import Definition, Fate

Totals = Mapping[str, int]


class Unavailable(Exception):
    """Kafka, MongoDB or the tokens' issuer can't be had now. The client may send the same again (503)."""

    lost: bool = False
    """The server is lost to the whole process, and the log has said so."""


class Unknown(Unavailable):
    """Kafka has not answered in time: the record may be in the topic or not, and may still come to be."""


class Position(NamedTuple):
    """Where Kafka put a record, and when by its broker's clock; None where the topic keeps the client's time."""

    partition: int
    offset: int
    append_millis: int | None = None


class Publisher(Protocol):
    async def publish(self, key: bytes, headers: Sequence[tuple[str, bytes]], body: bytes) -> Position | None:
        """Publish one record; returns only after Kafka's ack.

        None: Kafka has it, but no longer knows where (a late repeat of our own send). Raises Unavailable, Unknown.
        """
        ...

    def partition_of(self, key: bytes) -> int | None:
        """The partition that records of this key go to; None while it isn't known."""
        ...

    @property
    def ready(self) -> bool:
        """Connected, and nothing waits past its deadline."""
        ...

    @property
    def waiting_bytes(self) -> int:
        """Bytes of bodies that Kafka has neither taken nor refused yet."""
        ...


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that was not applied, or not whole (`exceptions`), and why.

    `differing`: places in a pool of events that stand for others than before under its request id. `at_millis`: the
    record's time by the broker's clock; None where it is not known.
    """

    fate: Fate
    cause: str
    differing: Sequence[int] = ()
    at_millis: int | None = None

    def is_of(self, append_millis: int | None) -> bool:
        """Whether it is said of the record that came into the log then, not of another at the same coordinates.

        A log that was cut gives its offsets out again.
        """
        return append_millis is None or self.at_millis in (None, append_millis)


class AppliedStore(Protocol):
    """What the workers have written. Each read sees at least what the one before it saw. All raise Unavailable."""

    async def checkpoints(self, lineages: Collection[str]) -> Mapping[PartitionId, int]:
        """The next offset to apply, of every partition of these lineages."""
        ...

    async def totals(self, actors: Collection[str]) -> Mapping[str, Totals]:
        """Totals of these players (`app/player`); unknown ones are absent."""
        ...

    async def rejections(self, coordinates: Collection[Coordinates]) -> Mapping[Coordinates, Rejection]:
        """What is said of these records; of those applied whole nothing is."""
        ...


class TotalsStore(Protocol):
    async def player_totals(self, actor: str) -> Totals:
        """The totals of one player (`app/player`); none of an unknown one. Raises Unavailable."""
        ...


class AppChange(NamedTuple):
    """How an app's definitions stand that were written lately: another value means, something has changed."""

    newest_millis: int
    definitions: int


class DefinitionStore(Protocol):
    """What apps have declared, retired definitions too. All raise Unavailable."""

    async def definitions(self, app: str) -> Sequence[Definition]: ...

    async def all_definitions(self, limit: int) -> Mapping[str, Sequence[Definition]]:
        """Definitions by app, of as many whole apps as fit into `limit` definitions."""
        ...

    async def changed_apps(self, since_millis: int) -> Mapping[str, AppChange]:
        """The apps of which a definition was written at or after then, by MongoDB's clock."""
        ...


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """What MongoDB says about one record: whether its partition's checkpoint has passed it, and then why not applied.

    One that isn't passed may still be, while its lineage is the topic's newest; of an older one nobody reads on. A
    checkpoint that passed another record at the same coordinates, before the log was cut, has not passed this one.
    """

    passed: bool
    rejection: Rejection | None = None
    in_force: bool = True


class OutcomeStore(Protocol):
    """What became of one record, of one request. Both raise Unavailable."""

    async def outcome(self, coordinates: Coordinates, append_millis: int | None) -> RecordOutcome:
        """Of the record that came into the log then (by the broker's clock, if it is known)."""
        ...

    async def counted_at_millis(self, app: str, player: str, request_id: int) -> int | None:
        """When the request that counted under this id came into the topic; None where none is remembered."""
        ...


class LineageStore(Protocol):
    async def newest_lineage(self, topic: str) -> str | None:
        """The lineage that the topic's offsets belong to; None before there is one. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class SampledRefusal:
    """One thing that was refused: whose, why, where in the body (`field`), how it began. None: no id could be read."""

    app: str
    player: str
    cause: str
    field: str
    first_bytes: bytes
    request_id: int | None
    at_millis: int


@dataclass(frozen=True, slots=True)
class FoundRefusal:
    """A refusal as it is kept. Ids of later ones are larger, to the second."""

    refusal_id: str
    refusal: SampledRefusal


@dataclass(frozen=True, slots=True)
class RefusalQuery:
    """Which refusals: at most `limit`, newest first; of one cause, of one player, before the one with an id."""

    limit: int
    cause: str | None = None
    player: str | None = None
    before: str | None = None


class RefusalStore(Protocol):
    """The sample of refusals. Both raise Unavailable."""

    async def add_refusals(self, refusals: Sequence[SampledRefusal]) -> None: ...

    async def refusals(self, app: str, query: RefusalQuery) -> Sequence[FoundRefusal]: ...
