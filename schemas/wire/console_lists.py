"""The answers of the console's lists and look-ups. `basis` says of what they are: of what was accepted, or counted."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from schemas.settings import Api
from schemas.wire.replies import State

COUNTED = "Only what workers have counted."
NextPageToken = Annotated[
    str | None, Field(description="Absent on the last page.", exclude_if=lambda value: value is None)
]
Count = Annotated[int, Field(json_schema_extra={"format": "int64"}, description="A JSON number up to int64.")]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )


class AppRow(_Model):
    """One app. `counted`: the sources that have counts of it. `definitions`: how many are in force."""

    app: str
    definitions: Annotated[int, Field(ge=0)]
    counted: tuple[Api, ...]


class AppsReply(_Model):
    """`GET /v1/apps`: apps that have definitions or counts."""

    basis: Annotated[Literal["counted"], Field(description=COUNTED)]
    apps: tuple[AppRow, ...]
    next_page_token: NextPageToken = None


class DefinitionRow(_Model):
    """One declared event. `retiredAt` is null while it is in force."""

    definition_id: str
    default_language: str
    names: Mapping[str, str]
    descriptions: Mapping[str, str]
    image_url: str | None
    visibility: Literal["REVEALED", "HIDDEN"]
    children: tuple[str, ...]
    format: str
    declared_at: datetime
    retired_at: datetime | None
    updated_at: datetime | None


class DefinitionsReply(_Model):
    """`GET /v1/definitions`: the definitions of an app, sorted by id, retired ones too."""

    app: str
    definitions: tuple[DefinitionRow, ...]
    next_page_token: NextPageToken = None


class CauseRow(_Model):
    """How many samples of a cause there are."""

    cause: str
    samples: Annotated[int, Field(ge=1)]


class RefusalRow(_Model):
    """One refusal. `firstBytes` is the beginning of the refused part. Bytes that are not UTF-8 are escaped."""

    id: str
    at: datetime
    app: str
    player: str
    request_id: str | None
    cause: str
    field: str
    first_bytes: str


class RefusalsReply(_Model):
    """`GET /v1/refusals`: a sample of what the ingress refused, newest first."""

    basis: Annotated[Literal["refused"], Field(description="Refused by the ingress: neither accepted nor counted.")]
    app: Annotated[str | None, Field(description="Null for all apps.")]
    refusals: tuple[RefusalRow, ...]
    causes: Annotated[
        tuple[CauseRow, ...] | None,
        Field(
            description="On the first page: the whole sample by cause, the largest first.",
            exclude_if=lambda value: value is None,
        ),
    ] = None
    next_page_token: NextPageToken = None


class DeadLetterRow(_Model):
    """One record that could not be read or stored. `cut`: it was too large to be kept whole."""

    id: Annotated[str, Field(description="lineage/partition/offset.")]
    topic: str | None
    lineage: str
    partition: int
    offset: int
    app: Annotated[str | None, Field(description="By the record's key. Null if the key names none.")]
    player: str | None
    cause: Annotated[str, Field(description="The first words of the reason.")]
    reason: Annotated[str, Field(description="With the scope tallymill.operate the whole reason.")]
    at: Annotated[datetime, Field(description="When it became a dead letter.")]
    bytes: Annotated[int, Field(ge=0)]
    cut: bool
    redriven: Annotated[datetime | None, Field(description="When it was last produced again.")]


class DeadLettersReply(_Model):
    """`GET /v1/dead-letters`: newest first."""

    basis: Annotated[Literal["accepted"], Field(description="Accepted, and not counted.")]
    app: Annotated[str | None, Field(description="Null for all apps.")]
    dead_letters: tuple[DeadLetterRow, ...]
    next_page_token: NextPageToken = None


class PlayerReply(_Model):
    """`GET /v1/players/{player}`: the totals of events.record, sorted by event."""

    basis: Annotated[Literal["counted"], Field(description=COUNTED)]
    app: str
    player: str
    totals: Mapping[str, Count]
    updated_at: Annotated[datetime | None, Field(description="Null if no batch of the player has counted.")]
    has_events: Annotated[bool, Field(description="Whether `GET /v1/events?actor=` has events of AddEvent.")]
    next_page_token: NextPageToken = None


class CountedRequestReply(_Model):
    """`GET /v1/requests/{requestId}`: a request that counted, and the place of its record."""

    basis: Annotated[Literal["counted"], Field(description=COUNTED)]
    app: str
    player: str
    source: Api
    request_id: str
    state: Literal["applied"]
    at: Annotated[datetime, Field(description="The time at which Kafka stored the record.")]
    lineage: str
    partition: int
    offset: int


class CountedReceiptReply(_Model):
    """`GET /v1/receipts/{receipt}`: the place of a record, and whether it was counted."""

    basis: Annotated[Literal["accepted"], Field(description="Accepted; `counted` says whether it is counted, too.")]
    receipt: str
    topic: Annotated[str | None, Field(description="Null if the lineage is unknown.")]
    lineage: str
    partition: int
    offset: int
    issued_at: datetime
    appended_at: Annotated[datetime | None, Field(description="When Kafka stored the record. Null if it is unknown.")]
    counted: Annotated[bool, Field(description="Whether the batch counts, by this record or an earlier one.")]
    state: State
    cause: Annotated[str | None, Field(description="Why it was not applied.")]
