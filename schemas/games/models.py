"""The body of events.record for the OpenAPI document and for the messages of violations (docs/rules.md, G3 to G5).

Bodies are read by the structs of the same shape in schemas/games/body.py. These models get only the small parts that
the structs refuse (schemas/wire/violations.py): pydantic takes ten times as long, and a whole body would block the
process.
"""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, Field
from pydantic.alias_generators import to_camel

from schemas.wire.int64 import NOT_NEGATIVE, NOT_ZERO, Int64


class _Sent(BaseModel):
    """What a client sends. Unknown fields are refused by name (G5)."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


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
