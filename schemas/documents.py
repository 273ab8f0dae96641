"""The MongoDB documents (docs/queries.md, "Collections in MongoDB"): collections, fields, and how `_id`s are built.

Every `_id` begins with its owner or a time, so that it can be parsed in one way only, and sorts by what it is looked
up by. Times are UTC datetimes with millisecond precision. Counts are int64.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, NotRequired

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from schemas.coordinates import PartitionId

PLAYERS = "players"
REQUESTS = "requests"
PERIOD_COUNTS = "period_counts"
CHECKPOINTS = "checkpoints"
LINEAGES = "lineages"
EXCEPTIONS = "exceptions"
DEAD_LETTERS = "dead_letters"
DEFINITIONS = "definitions"
REFUSALS = "refusals"
EVENTS = "events"
TITLES = "titles"

Fate = Literal["applied", "duplicate", "refused", "dead"]
FATES: tuple[Fate, ...] = ("applied", "duplicate", "refused", "dead")

# The cause of a duplicate: the same payload again, or another payload under a used requestId (G16).
ALREADY_UPDATED = "ALREADY_UPDATED"
PAYLOAD_DIFFERS = "PAYLOAD_DIFFERS"

# App and definition ids, as a JSON Schema pattern; judging.matches_id is the same.
ID_SCHEMA_PATTERN = "^[A-Za-z0-9_-]{1,64}$"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc(millis: int) -> datetime:
    """The datetime of `millis` since 1970 UTC, exact. Raises OverflowError outside the years 1 to 9999."""
    return EPOCH + timedelta(milliseconds=millis)


def millis_of(time: datetime) -> int:
    """The inverse of utc(); `time` must be timezone-aware."""
    return (time - EPOCH) // timedelta(milliseconds=1)


class PlayerDocument(TypedDict):
    """`players`, `_id` = app/player: a player's totals by definitionId."""

    _id: str
    totals: dict[str, int]
    updatedAt: datetime


class PeriodCountDocument(TypedDict):
    """`period_counts`, `_id` = hour/app/source/event/lineage/partition: one hour's count of one event, by window."""

    _id: str
    hour: datetime
    app: str
    source: str
    event: str
    count: int
    minutes: dict[str, int]


# `from` is a Python keyword, hence the functional form.
EventDocument = TypedDict(
    "EventDocument",
    {
        "_id": str,
        "app": str,
        "actor": str,
        "anonymous": bool,
        "at": datetime,
        "event": str,
        "data": Any,
        "extra": NotRequired[Mapping[str, Any]],
        "media": NotRequired[Mapping[str, Any]],
        "mediaRaw": NotRequired[str],
        "clock": NotRequired[Literal["future", "old"]],
        "requestId": NotRequired[str],
        "digest": NotRequired[int],
        "receivedAt": datetime,
        "from": str,
    },
)
"""`events`, `_id` = app/player/identity: one item of AddEvent, its data as sent. `actor` is the player.

`at` is the time of the client's clock. `clock` says why that time is wrong; the item then counts at `receivedAt`, the
record's time. `digest` is there if the item has a requestId: a hash of its content, to recognise another content under
the same id."""

# `from` again, in both.
TitleTerm = TypedDict(
    "TitleTerm", {"from": str, "by": NotRequired[str], "promoted": NotRequired[str], "freed": datetime}
)
"""A past registration of a title that was freed."""

TitleDocument = TypedDict(
    "TitleDocument",
    {
        "_id": str,
        "from": str,
        "by": NotRequired[str],
        "promoted": NotRequired[str],
        "freed": NotRequired[datetime],
        "earlier": NotRequired[list[TitleTerm]],
    },
)
"""`titles`, `_id` = app/title: a title that is counted by its name. `from`: the record that registered it. `by`: the
actor of that record; the oldest documents lack it. `promoted`: the record that made a title of an anonymous session
one of a player. `freed`: when an operator freed it; later records don't count by it. `earlier`: past registrations."""


class TitleNumbersDocument(TypedDict):
    """`titles`, `_id` = app: how many titles are registered and not freed. `anonymous`: those of anonymous sessions.

    Two partitions that register titles at the same time both write this document, so one of them is retried.
    """

    _id: str
    count: int
    anonymous: int


class Fingerprint(TypedDict):
    """Identifies the last applied record. If the log has another record at its offset, the log was replaced."""

    offset: int
    timestamp: int
    crc: int


class CheckpointDocument(TypedDict):
    """`checkpoints`, `_id` = lineage/partition: the next offset to apply. Fates and gaps add up to next - start.

    `lsid` is the owner's MongoDB session, `uid` the digest of its user (null without users): the next owner kills that
    session. Both are absent after the owner released the partition. `stopped`: why no worker reads the partition.
    """

    _id: str
    start: int
    next: int
    last: Fingerprint | None
    fates: dict[Fate, int]
    gaps: int
    owner: NotRequired[str]
    lsid: NotRequired[bytes]
    uid: NotRequired[bytes | None]
    stopped: NotRequired[str]
    updatedAt: datetime


def fresh_checkpoint(start: int) -> dict[str, object]:
    """The fields of a new checkpoint."""
    return {"start": start, "next": start, "last": None, "fates": dict.fromkeys(FATES, 0), "gaps": 0}


# `from` again. `to` is exclusive; null if unknown.
LostRange = TypedDict("LostRange", {"partition": int, "from": int, "to": int | None, "why": str})
"""Offsets that a new lineage skipped: acknowledged records that it does not count (ops/lineage/losses.py)."""

AcceptedLoss = TypedDict(
    "AcceptedLoss",
    {"partition": int, "from": int, "to": int | None, "why": str, "reason": str, "at": datetime},
)
"""A loss that an operator has accepted, with a reason. `verify` still reports it, and no longer fails because of it."""

# `from` is the offset that the lineage starts at.
LineageDocument = TypedDict(
    "LineageDocument",
    {
        "_id": str,
        "cluster": str,
        "topic": str,
        "topicId": str,
        "generation": int,
        "from": int,
        "reason": str,
        "startedAt": datetime,
        "lost": NotRequired[list[LostRange]],
        "accepted": NotRequired[list[AcceptedLoss]],
    },
)
"""`lineages`, `_id` = r1: the incarnation of a topic that offsets belong to.

`lost`: what it skipped of the lineage before it; absent in lineages from before 2026-11-28.
"""


class ExceptionDocument(TypedDict):
    """`exceptions`, `_id` = lineage/partition/offset: a record that was not applied, and why. TTL on `at`.

    Also a pool that was applied although its requestId was used before with other items: PAYLOAD_DIFFERS.
    `differing`: the positions of the first ten such items.
    """

    _id: str
    fate: Fate
    cause: str
    differing: NotRequired[list[int]]
    app: str | None
    player: str | None
    requestId: int | str | None
    at: datetime


class DeadLetterCut(TypedDict):
    """A record too large for a document: the size and SHA-256 of its value, and its number of headers."""

    bytes: int
    sha256: str
    headers: int


class DeadLetterDocument(TypedDict):
    """`dead_letters`, `_id` = lineage/partition/offset: a record that can't be read or stored, kept whole.

    `cut`: it was too large to be kept whole, so it can't be redriven. `redriven`: when it was last produced again.
    """

    _id: str
    value: bytes
    headers: list[list[str | bytes | None]]
    key: bytes | None
    reason: str
    at: datetime
    cut: NotRequired[DeadLetterCut]
    redriven: NotRequired[datetime]


class RefusalDocument(TypedDict):
    """`refusals`, capped, `_id` = an ObjectId: a sample of what the ingress refused. `firstBytes` of the body."""

    app: str
    player: str
    cause: str
    field: str
    firstBytes: bytes
    requestId: int | None
    at: datetime


# How the total of an event is formatted (G19): grouped as in the language, digits alone, or a CLDR number pattern.
GROUPED = "grouped"
PLAIN = "plain"


class DefinitionTerm(BaseModel):
    """A time range in which a definition applied: start inclusive, end exclusive."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )

    declared_at: datetime
    retired_at: datetime

    def in_force(self, at: datetime) -> bool:
        return self.declared_at <= at < self.retired_at


class Definition(BaseModel):
    """`definitions`, `_id` = app/definitionId: a declared event. Never removed, only retired (G12).

    `earlier`: time ranges in which it applied before it was retired and declared again. `updatedAt`: the last write,
    by MongoDB's clock; ingresses use it to read changes.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )

    app: Annotated[str, Field(pattern=ID_SCHEMA_PATTERN)]
    definition_id: Annotated[str, Field(pattern=ID_SCHEMA_PATTERN)]
    default_language: str
    names: Mapping[str, str]
    descriptions: Mapping[str, str] = {}
    image_url: str | None = None
    visibility: Literal["REVEALED", "HIDDEN"] = "REVEALED"
    children: tuple[str, ...] = ()
    format: Annotated[str, Field(min_length=1)] = GROUPED
    declared_at: datetime
    retired_at: datetime | None = None
    earlier: tuple[DefinitionTerm, ...] = ()
    updated_at: datetime | None = None

    def in_force(self, at: datetime) -> bool:
        """Whether a record received at `at` may count for it."""
        now = self.declared_at <= at and (self.retired_at is None or at < self.retired_at)
        return now or any(term.in_force(at) for term in self.earlier)

    def document(self) -> dict[str, object]:
        """The document in MongoDB: the fields in camelCase, and the `_id`."""
        return {"_id": definition_key(self.app, self.definition_id), **self.model_dump()}


def definition_of(document: Mapping[str, object]) -> Definition:
    """The inverse of Definition.document(). Dates must be timezone-aware (a client with tz_aware=True)."""
    return Definition.model_validate({name: value for name, value in document.items() if name != "_id"})


def request_key(app: str, player: str, request_id: int) -> str:
    """The whole id of a request, as `requests` holds it (schemas/request_ids.py)."""
    return f"{app}/{player}/{request_id}"


def event_key(app: str, player: str, identity: str) -> str:
    return f"{app}/{player}/{identity}"


def title_key(app: str, title: str) -> str:
    return f"{app}/{title}"


def actor_of(app: str, player: str) -> str:
    """`app/player`: a record's key in Kafka, and the `_id` of the player's document. `player` alone is the bare id."""
    return f"{app}/{player}"


def app_and_player(actor: str) -> tuple[str, str]:
    """The inverse of actor_of(). An app's id has no slash. Without a slash the player is empty."""
    app, _, player = actor.partition("/")
    return app, player


def is_anonymous(player: str) -> bool:
    """Whether a player is an anonymous session (B6)."""
    return player.startswith("~")


def definition_key(app: str, definition_id: str) -> str:
    return f"{app}/{definition_id}"


def period_count_key(hour: datetime, app: str, source: str, event: str, partition: PartitionId) -> str:
    """`2026-11-23T13/app/source/event/r1/03`."""
    return f"{hour:%Y-%m-%dT%H}/{app}/{source}/{event}/{partition}"
