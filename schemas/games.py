"""events.record on the wire, and the answers of the two lists (games.v1.json; api.md B2, G3-G5, G20).

Requests hold what was sent, nothing more: limits and definitions are `schemas/judging.py`. Field names of the
wire are camelCase, and no other spelling is taken.
"""

from collections.abc import Iterator
from enum import StrEnum
from itertools import islice
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from schemas.int64 import NOT_NEGATIVE, NOT_ZERO, Int64
from schemas.violations import Shape, errors_of, in_object

# The first violations tell a client what is wrong; all of a 1 MiB body would drown it (B2).
MAX_VIOLATIONS = 20


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


class _Sent(BaseModel):
    """What a client sends: unknown fields refused by name (G5)."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


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


def _null_is_empty(value: object) -> object:
    return () if value is None else value


Kind = Annotated[str | None, Field(description="Any string; ignored (G5).")]


class SentPeriodRange(_Sent):
    """EventPeriodRange: start inclusive, end exclusive, milliseconds since 1970 UTC."""

    kind: Kind = None
    period_start_millis: Int64
    period_end_millis: Int64


class SentUpdate(_Sent):
    """EventUpdateRequest: one event's count within its period."""

    kind: Kind = None
    definition_id: str
    update_count: Int64


class SentPeriodUpdate(_Sent):
    """EventPeriodUpdate: the updates of one period."""

    kind: Kind = None
    time_period: SentPeriodRange
    updates: Annotated[
        tuple[SentUpdate, ...],
        FailFast(),
        BeforeValidator(_null_is_empty, json_schema_input_type=tuple[SentUpdate, ...] | None),
    ] = ()


class EventRecordRequest(_Sent):
    """The body of events.record: one batch."""

    kind: Kind = None
    request_id: Annotated[Int64, Field(json_schema_extra=NOT_ZERO)]
    current_time_millis: Annotated[Int64 | None, Field(json_schema_extra=NOT_NEGATIVE)] = None
    time_periods: Annotated[
        tuple[SentPeriodUpdate, ...],
        FailFast(),
        BeforeValidator(_null_is_empty, json_schema_input_type=tuple[SentPeriodUpdate, ...] | None),
    ] = ()


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


class Violation(BaseModel):
    """One thing wrong with a body: where (`timePeriods[1].updates[0].updateCount`; "" = the body itself), and what."""

    model_config = ConfigDict(frozen=True)

    field: str
    description: str


class MalformedBody(ValueError):
    """The body is not an EventRecordRequest. `violations` holds the first MAX_VIOLATIONS (B2)."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        self.violations = violations
        super().__init__("; ".join(f"{v.field or 'body'}: {v.description}" for v in violations))


def parse_request(body: bytes) -> EventRecordRequest:
    """The batch that `body` (UTF-8 JSON) holds. Raises MalformedBody.

    Of a key given twice, the last counts; a BOM, NaN, 1e400, lone surrogates, a requestId of 0 are refused
    (B2, G4). Ingress and worker both call this, so a body can't mean two things.
    """
    try:
        request = EventRecordRequest.model_validate_json(body)
    except ValidationError as error:
        raise MalformedBody(_violations(body, error)) from None
    if violations := tuple(_wrong_values(request)):
        raise MalformedBody(violations)
    return request


def _wrong_values(request: EventRecordRequest) -> Iterator[Violation]:
    """What the types can't say: an unset id (G4), a time before 1970 (G7)."""
    if request.request_id == 0:
        yield Violation(field="requestId", description="Must not be 0")
    if request.current_time_millis is not None and request.current_time_millis < 0:
        yield Violation(field="currentTimeMillis", description="Must not be negative")


_UPDATE: Final = Shape(SentUpdate)
_PERIOD: Final = Shape(SentPeriodUpdate, objects={"timePeriod": Shape(SentPeriodRange)}, arrays={"updates": _UPDATE})
_REQUEST: Final = Shape(EventRecordRequest, arrays={"timePeriods": _PERIOD})


def _violations(body: bytes, error: ValidationError) -> tuple[Violation, ...]:
    """The first that is wrong with a body that was refused with `error`."""
    try:
        wrong = in_object(_REQUEST, from_json(body))
    except ValueError:  # no JSON: there is one error, and nothing to look at
        wrong = iter(errors_of(error))
    return tuple(Violation(field=_path(at), description=message) for at, message in islice(wrong, MAX_VIOLATIONS))


def _path(location: tuple[int | str, ...]) -> str:
    """JSON path of a pydantic location: ("a", 1, "b") -> "a[1].b"."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
