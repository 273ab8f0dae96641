"""The answers of the console: counts, and events as they were sent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.settings import Api

READ_SCOPE = "tallymill.read"
# Of all apps: to redrive dead letters, and to list the apps.
OPERATE_SCOPE = "tallymill.operate"

Step = Literal["minute", "hour", "day", "week", "month", "total"]

_NextPageToken = Annotated[
    str | None,
    Field(
        description="Absent on the last page. Any other page may be short, or empty.", exclude_if=lambda v: v is None
    ),
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CountRow(_Model):
    """The count of one event in one step."""

    at: Annotated[datetime, Field(description="The start of the step, in UTC or with the offset of `tz`.")]
    event: Annotated[str, Field(description="The definitionId or the title. `(other)`: see `top`.")]
    count: Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"}, description="A JSON number up to int64.")]


class EventTotal(_Model):
    """The count of one event in all steps of the range."""

    event: str
    count: Annotated[int, Field(ge=1, json_schema_extra={"format": "int64"})]


class CountsReply(_Model):
    """`GET /v1/counts`: one page of what was counted, sorted by `at` and `event`."""

    basis: Annotated[Literal["counted"], Field(description="Only what workers have counted.")]
    app: str
    source: Api
    step: Step
    rows: tuple[CountRow, ...]
    top: Annotated[
        tuple[EventTotal, ...] | None,
        Field(
            description="With the parameter `top`: the largest events, the largest first. The rows of all other events "
            "are summed as `(other)`, with those of titles that have no count of their own.",
            exclude_if=lambda v: v is None,
        ),
    ] = None
    asOf: Annotated[  # noqa: N815 the wire's name
        datetime | None,
        Field(
            description="The time of the snapshot that the rows show, by MongoDB's clock. It is the same on all pages, "
            "unless reading them takes minutes. Absent if MongoDB has no snapshots: rows may differ in time.",
            exclude_if=lambda v: v is None,
        ),
    ] = None
    nextPageToken: _NextPageToken = None  # noqa: N815 the wire's name


class FoundEvent(_Model):
    """One event of AddEvent or AddEventBatch, as it was sent, and the record that carried it."""

    id: Annotated[str, Field(description="app/actor/identity.")]
    app: str
    actor: Annotated[str, Field(description="A player, or `~` followed by the id of an anonymous session.")]
    anonymous: bool
    at: Annotated[datetime, Field(description="The time of the event, by the client's clock.")]
    event: Annotated[str, Field(description="The title.")]
    data: Annotated[Any, Field(description="An object, an array of objects, or null. Keys keep their order.")]
    extra: Annotated[Mapping[str, Any] | None, Field(description="Unknown fields of the event.")] = None
    media: Annotated[Mapping[str, Any] | None, Field(description="mediaInfo, decoded.")] = None
    mediaRaw: Annotated[str | None, Field(description="mediaInfo that could not be decoded.")] = None  # noqa: N815
    clock: Annotated[
        Literal["future", "old"] | None, Field(description="Why the event counts in the minute of receivedAt.")
    ] = None
    requestId: str | None = None  # noqa: N815 the wire's name
    receivedAt: Annotated[  # noqa: N815 the wire's name
        datetime, Field(description="The time at which Kafka stored the event.")
    ]
    origin: Annotated[str, Field(alias="from", description="The record: lineage/partition/offset.")]


class EventsReply(_Model):
    """`GET /v1/events`: one page, newest first by `receivedAt`, then by `id`."""

    basis: Annotated[Literal["counted"], Field(description="Only what workers have registered.")]
    app: str
    events: tuple[FoundEvent, ...]
    nextPageToken: _NextPageToken = None  # noqa: N815 the wire's name
