"""events.record on the wire, and the answers of the two lists (games.v1.json; docs/rules.md, B2, G3 to G5, G20).

Requests hold what was sent, nothing more: limits and definitions are `schemas/games/judging.py`. Field names of the
wire are camelCase, and no other spelling is taken.

A body is read by structs (msgspec). A body that they refuse is read again part by part (schemas/wire/violations.py):
either it is a batch after all, with a null or a key given twice, or the parts say what is wrong. Structs alone accept.
"""

from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from schemas.games import models as wire
from schemas.wire.depth import MAX_DEPTH, is_deeper
from schemas.wire.int64 import Int64, ReadInt64, ReadInt64OrNone
from schemas.wire.json_text import flaw_of, without_constants
from schemas.wire.malformed import MAX_VIOLATIONS, MalformedBody, Violation
from schemas.wire.violations import Location, Shape, Wrongs, read_in_parts

# Items of one page of a list (G20).
DEFAULT_RESULTS = 100
MAX_RESULTS = 500


class EventFailureCause(StrEnum):
    """Why a period, or the whole batch, was not recorded."""

    TOO_LARGE = "TOO_LARGE"
    TIME_PERIOD_EXPIRED = "TIME_PERIOD_EXPIRED"
    TIME_PERIOD_SHORT = "TIME_PERIOD_SHORT"
    TIME_PERIOD_LONG = "TIME_PERIOD_LONG"
    ALREADY_UPDATED = "ALREADY_UPDATED"
    RECORD_RATE_HIGH = "RECORD_RATE_HIGH"


class EventUpdateFailureCause(StrEnum):
    """Why one update was not recorded."""

    NOT_FOUND = "NOT_FOUND"
    INVALID_UPDATE_VALUE = "INVALID_UPDATE_VALUE"

    @property
    def field(self) -> str:
        """The field of the update that is wrong."""
        return _FIELD_OF[self]


_FIELD_OF: Final = {
    EventUpdateFailureCause.NOT_FOUND: "definitionId",
    EventUpdateFailureCause.INVALID_UPDATE_VALUE: "updateCount",
}


class _Answer(BaseModel):
    """What we answer: every field of the discovery document, always."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        serialize_by_alias=True,
        json_schema_serialization_defaults_required=True,
    )


class _Sent(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True, rename="camel"):
    """What a client sends: unknown fields are refused (G5). No garbage collection: none of these makes a cycle."""

    kind: str | None = None

    def as_sent(self) -> bytes:
        """JSON again, its int64 as strings."""
        fields = msgspec.to_builtins(self, builtin_types=())
        return msgspec.json.encode({n: str(v) if type(v) is int else v for n, v in fields.items() if v is not None})


class SentPeriodRange(_Sent, frozen=True):
    """EventPeriodRange: start inclusive, end exclusive, milliseconds since 1970 UTC."""

    period_start_millis: ReadInt64
    period_end_millis: ReadInt64


class SentUpdate(_Sent, frozen=True):
    """EventUpdateRequest: one event's count within its period."""

    definition_id: str
    update_count: ReadInt64


class SentPeriodUpdate(_Sent, frozen=True):
    """EventPeriodUpdate: the updates of one period."""

    time_period: SentPeriodRange
    updates: tuple[SentUpdate, ...] = ()


class EventRecordRequest(_Sent, frozen=True):
    """The body of events.record: one batch. The models of models.py have the same shape."""

    request_id: ReadInt64
    current_time_millis: ReadInt64OrNone = None
    time_periods: tuple[SentPeriodUpdate, ...] = ()


class EventPeriodRange(_Answer):
    """The range of a failure, with the client's own values; without them for a request-wide failure (G16)."""

    kind: Literal["games#eventPeriodRange"] = "games#eventPeriodRange"
    period_start_millis: Int64 | None = Field(default=None, exclude_if=lambda value: value is None)
    period_end_millis: Int64 | None = Field(default=None, exclude_if=lambda value: value is None)


class EventBatchRecordFailure(_Answer):
    """A period, or the whole request, that was not recorded."""

    kind: Literal["games#eventBatchRecordFailure"] = "games#eventBatchRecordFailure"
    range: EventPeriodRange = EventPeriodRange()
    failure_cause: EventFailureCause


class EventRecordFailure(_Answer):
    """An event of which at least one update was not recorded."""

    kind: Literal["games#eventRecordFailure"] = "games#eventRecordFailure"
    event_id: str
    failure_cause: EventUpdateFailureCause


class PlayerEvent(_Answer):
    """A player's total of one event."""

    kind: Literal["games#playerEvent"] = "games#playerEvent"
    player_id: str
    definition_id: str
    num_events: Int64
    formatted_num_events: str


class EventUpdateResponse(_Answer):
    """The answer of events.record. All three arrays are always there (G16)."""

    kind: Literal["games#eventUpdateResponse"] = "games#eventUpdateResponse"
    batch_failures: tuple[EventBatchRecordFailure, ...] = ()
    event_failures: tuple[EventRecordFailure, ...] = ()
    player_events: tuple[PlayerEvent, ...] = ()


class EventChild(_Answer):
    """An event that belongs to another."""

    kind: Literal["games#eventChild"] = "games#eventChild"
    child_id: str


class EventDefinition(_Answer):
    """A declared event, in one language."""

    kind: Literal["games#eventDefinition"] = "games#eventDefinition"
    id: str
    display_name: str
    description: str
    image_url: str
    is_default_image_url: bool
    visibility: Literal["REVEALED", "HIDDEN"]
    child_events: tuple[EventChild, ...] = ()


NextPageToken = Annotated[str | None, Field(exclude_if=lambda value: value is None, description="None: no more pages.")]


class EventDefinitionListResponse(_Answer):
    """One page of events.listDefinitions (G20)."""

    kind: Literal["games#eventDefinitionListResponse"] = "games#eventDefinitionListResponse"
    items: tuple[EventDefinition, ...] = ()
    next_page_token: NextPageToken = None


class PlayerEventListResponse(_Answer):
    """One page of events.listByPlayer (G20)."""

    kind: Literal["games#playerEventListResponse"] = "games#playerEventListResponse"
    items: tuple[PlayerEvent, ...] = ()
    next_page_token: NextPageToken = None


_UPDATE: Final = Shape(SentUpdate, wire.SentUpdate)
_RANGE: Final = Shape(SentPeriodRange, wire.SentPeriodRange)
_PERIOD: Final = Shape(
    SentPeriodUpdate,
    wire.SentPeriodUpdate,
    objects={"timePeriod": _RANGE},
    arrays={"updates": _UPDATE},
)
_REQUEST: Final = Shape(EventRecordRequest, wire.EventRecordRequest, arrays={"timePeriods": _PERIOD})


def parse_request(body: bytes) -> EventRecordRequest:
    """The batch that `body` (UTF-8 JSON) holds. Raises MalformedBody.

    Of a key given twice, the last counts; a BOM, NaN, 1e400, lone surrogates, a requestId of 0 are refused
    (B2, G4). Ingress and worker both call this, so a body can't mean two things.
    """
    request = _REQUEST.read(body) or _read_again(body)
    violations = []
    if request.request_id == 0:  # unset (G4)
        violations.append(Violation(field="requestId", description="Must not be 0"))
    if request.current_time_millis is not None and request.current_time_millis < 0:  # before 1970 (G7)
        violations.append(Violation(field="currentTimeMillis", description="Must not be negative"))
    if violations:
        raise MalformedBody(tuple(violations))
    return request


def _read_again(body: bytes) -> EventRecordRequest:
    """The batch in a body that isn't one at first sight: cheap checks first, then part by part."""
    if is_deeper(body):
        raise MalformedBody((Violation(field="", description=f"Nested deeper than {MAX_DEPTH}"),))
    flaw = flaw_of(body)
    # A body with NaN is refused, but as JSON otherwise: so the field is named.
    text = without_constants(body) if flaw else body
    if flaw and (text is body or flaw_of(text)):
        raise MalformedBody((Violation(field="", description=flaw),))
    wrongs = Wrongs(MAX_VIOLATIONS)
    request = read_in_parts(_REQUEST, text, (), wrongs)
    if request is None or flaw:
        found = tuple(Violation(field=_path(at), description=message) for at, message in wrongs.first())
        raise MalformedBody(found or (Violation(field="", description=flaw),))
    return request


def _path(location: Location) -> str:
    """JSON path of a location: ("a", 1, "b") -> "a[1].b"."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
