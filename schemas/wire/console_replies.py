"""What the console answers: counts, and events as they were sent. How the document describes it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.settings import Api

READ_SCOPE = "tallymill.read"

Step = Literal["minute", "hour", "day"]

_NextPageToken = Annotated[
    str | None,
    Field(description="Absent on the last page; any other may be short, or empty.", exclude_if=lambda v: v is None),
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CountRow(_Model):
    """What an event counted in one step."""

    at: Annotated[datetime, Field(description="The start of the minute, hour or day, UTC.")]
    event: Annotated[str, Field(description="definitionId, or title.")]
    count: Annotated[int, Field(ge=1, json_schema_extra={"format": "int64"}, description="A number: exact in int64.")]


class CountsReply(_Model):
    """`GET /v1/counts`: one page, sorted by `at` and `event`; what counts nothing is left out."""

    app: str
    source: Api
    step: Step
    rows: tuple[CountRow, ...]
    asOf: Annotated[  # noqa: N815 the wire's name
        datetime | None,
        Field(
            description="Every row is as it was then, by MongoDB's clock; the same on all pages of a walk, unless it "
            "takes minutes. Absent where MongoDB keeps no past moments: then rows are of no one moment.",
            exclude_if=lambda v: v is None,
        ),
    ] = None
    nextPageToken: _NextPageToken = None  # noqa: N815 the wire's name


class FoundEvent(_Model):
    """One event of AddEvent or AddEventBatch, as it was sent, and where it came in."""

    id: Annotated[str, Field(description="app/actor/identity.")]
    app: str
    actor: Annotated[str, Field(description="A player, or `~` and an anonymous session.")]
    anonymous: bool
    at: Annotated[datetime, Field(description="As the client's clock had it.")]
    event: Annotated[str, Field(description="The title.")]
    data: Annotated[Any, Field(description="An object, an array of objects, or null; its order is kept.")]
    extra: Annotated[Mapping[str, Any] | None, Field(description="Fields of the event that are not known.")] = None
    media: Annotated[Mapping[str, Any] | None, Field(description="mediaInfo, decoded.")] = None
    mediaRaw: Annotated[str | None, Field(description="mediaInfo that could not be decoded.")] = None  # noqa: N815
    clock: Annotated[
        Literal["future", "old"] | None, Field(description="Why it counts in the minute of receivedAt.")
    ] = None
    requestId: str | None = None  # noqa: N815 the wire's name
    receivedAt: Annotated[datetime, Field(description="When Kafka had it.")]  # noqa: N815 the wire's name
    origin: Annotated[str, Field(alias="from", description="Its record: lineage/partition/offset.")]


class EventsReply(_Model):
    """`GET /v1/events`: one page, newest first by `receivedAt`, then by `id`."""

    app: str
    events: tuple[FoundEvent, ...]
    nextPageToken: _NextPageToken = None  # noqa: N815 the wire's name
