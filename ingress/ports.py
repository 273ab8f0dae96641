"""What the ingress needs of Kafka and MongoDB, as protocols. Adapters: delivery/publish.py, mongo.py, memory.py."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from schemas.coordinates import Coordinates, PartitionId
from schemas.definitions import Definition
from schemas.documents import Fate

Totals = Mapping[str, int]


class Unavailable(Exception):
    """Kafka, MongoDB or the tokens' issuer is unavailable. The client should retry the same request (503)."""

    lost: bool = False
    """The whole process has lost the server, and the log has reported it."""


class Unknown(Unavailable):
    """Kafka has not answered in time: the record may be in the topic, or may still be written to it."""


class Position(NamedTuple):
    """Where Kafka put a record, and when by its broker's clock. No time if the topic keeps the client's."""

    partition: int
    offset: int
    append_millis: int | None = None


class Publisher(Protocol):
    async def publish(self, key: bytes, headers: Sequence[tuple[str, bytes]], body: bytes) -> Position | None:
        """Publish one record. Returns only after Kafka's ack.

        None: Kafka has the record but doesn't say where (a late repeat of the same send). Raises Unavailable, Unknown.
        """
        ...

    def partition_of(self, key: bytes) -> int | None:
        """The partition that records of this key go to. None while it is unknown."""
        ...

    @property
    def ready(self) -> bool:
        """Connected, and no record waits past its deadline."""
        ...

    @property
    def waiting_bytes(self) -> int:
        """Bytes of bodies that Kafka has neither acknowledged nor rejected yet."""
        ...


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a record was not applied, or only in part (`exceptions`).

    `differing`: positions of a pool's events that differ from those registered before under its request id.
    `at_millis`: the record's time by the broker's clock, if it is known.
    """

    fate: Fate
    cause: str
    differing: Sequence[int] = ()
    at_millis: int | None = None

    def is_of(self, append_millis: int | None) -> bool:
        """Whether it is about the record that came into the log then, not another at the same coordinates.

        A truncated log uses its offsets again.
        """
        return append_millis is None or self.at_millis in (None, append_millis)


class AppliedStore(Protocol):
    """What the workers have written. Each read sees at least what the previous one saw. All raise Unavailable."""

    async def checkpoints(self, lineages: Collection[str]) -> Mapping[PartitionId, int]:
        """The next offset to apply of each partition of these lineages."""
        ...

    async def totals(self, actors: Collection[str]) -> Mapping[str, Totals]:
        """Totals by actor (`app/player`). Unknown ones are absent."""
        ...

    async def rejections(self, coordinates: Collection[Coordinates]) -> Mapping[Coordinates, Rejection]:
        """Of these records, those that were not applied, or only in part."""
        ...


class TotalsStore(Protocol):
    async def player_totals(self, actor: str) -> Totals:
        """The totals of one actor (`app/player`); none of an unknown one. Raises Unavailable."""
        ...


class AppChange(NamedTuple):
    """The state of an app's recently written definitions. If it differs from the last one, something has changed."""

    newest_millis: int
    definitions: int


class DefinitionStore(Protocol):
    """The definitions that apps have declared, also retired ones. All raise Unavailable."""

    async def definitions(self, app: str) -> Sequence[Definition]: ...

    async def all_definitions(self, limit: int) -> Mapping[str, Sequence[Definition]]:
        """Definitions by app, of as many complete apps as fit into `limit` definitions."""
        ...

    async def changed_apps(self, since_millis: int) -> Mapping[str, AppChange]:
        """The apps of which a definition was written at or after then, by MongoDB's clock."""
        ...


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """What MongoDB says about one record: whether the checkpoint has passed it, and if so why it was not applied.

    `may_still_pass`: its lineage is the topic's newest; no worker reads an older one. A checkpoint that passed another
    record at the same coordinates, before the log was truncated, has not passed this one.
    """

    passed: bool
    rejection: Rejection | None = None
    may_still_pass: bool = True


class OutcomeStore(Protocol):
    """What became of a record, and of a request. Both raise Unavailable."""

    async def outcome(self, coordinates: Coordinates, append_millis: int | None) -> RecordOutcome:
        """The outcome of the record that came into the log then, by the broker's clock if it is known."""
        ...

    async def counted_at_millis(self, app: str, player: str, request_id: int) -> int | None:
        """When the request that counted under this id came into the topic. None if none is remembered."""
        ...


class HelloStore(Protocol):
    async def hello(self) -> Mapping[str, Any]:
        """The primary's answer to `hello`: what kind of deployment it is, and its time. Raises Unavailable."""
        ...


class RequestLayoutStore(Protocol):
    async def earlier_request(self) -> Mapping[str, Any] | None:
        """A document of `requests` in the layout of an earlier version. Raises Unavailable."""
        ...

    async def newer_lineage(self) -> Mapping[str, Any] | None:
        """A lineage whose layout is that of a newer version. Raises Unavailable."""
        ...


class LineageStore(Protocol):
    async def newest_lineage(self, topic: str) -> str | None:
        """The lineage that the topic's offsets belong to. None before there is one. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class SampledRefusal:
    """One refusal: whose, why, where in the body (`field`), its first bytes. No `request_id`: none could be read."""

    app: str
    player: str
    cause: str
    field: str
    first_bytes: bytes
    request_id: int | None
    at_millis: int


@dataclass(frozen=True, slots=True)
class FoundRefusal:
    """A stored refusal. Later ones have larger ids, to the second."""

    refusal_id: str
    refusal: SampledRefusal


@dataclass(frozen=True, slots=True)
class RefusalQuery:
    """Which refusals: at most `limit`, newest first; of one cause, of one player, older than the one with this id."""

    limit: int
    cause: str | None = None
    player: str | None = None
    before: str | None = None


class RefusalStore(Protocol):
    """The sampled refusals. Both raise Unavailable."""

    async def add_refusals(self, refusals: Sequence[SampledRefusal]) -> None: ...

    async def refusals(self, app: str, query: RefusalQuery) -> Sequence[FoundRefusal]: ...
