"""The MongoDB documents (docs/queries.md, "Collections in MongoDB"): collections, fields, and how `_id`s are built.

`definitions` are in definitions.py, `checkpoints` and `lineages` in checkpoints.py, all others here.

Every `_id` begins with its owner or a time, so it can be parsed in one way only, and documents that are read together
are neighbours. Times are UTC datetimes with millisecond precision. Counts are int64.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NotRequired

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
CHECKS = "checks"

Fate = Literal["applied", "duplicate", "refused", "dead"]
FATES: tuple[Fate, ...] = ("applied", "duplicate", "refused", "dead")

# The cause of a duplicate: the same payload again, or another payload under a used requestId (G16).
ALREADY_UPDATED = "ALREADY_UPDATED"
PAYLOAD_DIFFERS = "PAYLOAD_DIFFERS"

# App and definition ids, as a JSON Schema pattern; judging.matches_id is the same.
ID_SCHEMA_PATTERN = "^[A-Za-z0-9_-]{1,64}$"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def utc(millis: int) -> datetime:
    """The datetime of `millis` since 1970 UTC, exact. Raises OverflowError outside the years 1 to 9999."""
    return EPOCH + millis * _MILLISECOND


def millis_of(time: datetime) -> int:
    """The inverse of utc(); `time` must be timezone-aware."""
    return (time - EPOCH) // _MILLISECOND


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


# `from` is a Python keyword, hence the functional form. Here it is the record that the item came with.
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
record's time. `digest` is present if the item has a requestId: a hash of its content, which shows that an
id was used again for other content."""

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


class CheckDocument(TypedDict):
    """`checks`, `_id` = verify or doctor: the result of the last run of that command. `at`: when it ended.

    `detail`: a sentence for people. `seconds`: how long the run took.
    """

    _id: Literal["verify", "doctor"]
    at: datetime
    ok: bool
    detail: str
    seconds: float


def request_key(app: str, player: str, request_id: int) -> str:
    """The whole id of a request, as `requests` holds it (schemas/request_ids.py)."""
    return f"{app}/{player}/{request_id}"


def event_key(app: str, player: str, identity: str) -> str:
    return f"{app}/{player}/{identity}"


def title_key(app: str, title: str) -> str:
    return f"{app}/{title}"


def ids_below(owner: str) -> tuple[str, str]:
    """The half-open range of the `_id`s that begin with `owner/`: the character after `/` is `0`."""
    return f"{owner}/", f"{owner}0"


def owned_by(owner: str) -> dict[str, Any]:
    """The filter on `_id` of all documents whose `_id` begins with `owner/`."""
    first, end = ids_below(owner)
    return {"_id": {"$gte": first, "$lt": end}}


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


def period_count_key(hour: datetime, app: str, source: str, event: str, partition: PartitionId) -> str:
    """`2026-11-23T13/app/source/event/r1/03`."""
    return f"{hour:%Y-%m-%dT%H}/{app}/{source}/{event}/{partition}"
