"""AddEvent and AddEventBatch as the OpenAPI document describes them. What reads a body is schemas/analytics/body.py.

Names are as they are written here most often; they are read in any case, which JSON Schema can't say.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.analytics.body import MAX_REQUEST_ID_CHARACTERS

Fields = dict[str, Any]


class _Sent(BaseModel):
    """Unknown names are fine: of an item they are kept, of the envelope they are ignored."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)


class AnalyticsEventItem(_Sent):
    """One event."""

    Timestamp: Annotated[
        str | float | int,
        Field(
            description="Seconds, milliseconds or microseconds since 1970, ISO 8601, or `/Date(ms)/`. A number that"
            " reads as a date, as 20260921 or 20260921141320, is refused."
        ),
    ]
    Event: Annotated[str, Field(min_length=1, description="Its title: 1 to 256 bytes of UTF-8 after trimming.")]
    Data: Annotated[
        Fields | list[Fields] | None,
        Field(description="Any fields; of an array the order is kept, and it counts once."),
    ] = None


_RequestId = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=MAX_REQUEST_ID_CHARACTERS,
        description="Our extension: makes an event the same event by its place in the pool, not by its content.",
    ),
]
_Media = Annotated[str | None, Field(description="Base64 of a JSON object, kept decoded with every event.")]
_Token = Annotated[str | None, Field(description="Anonymous or logged in. Without it, the Authorization header's.")]
_JSON_TEXT = "JSON text of the same is taken too."


class AddEventRequest(_Sent):
    """One event: `eventData` is an item, or an array of one."""

    Token: _Token = None
    mediaInfo: _Media = None  # noqa: N815 the wire's name
    requestId: _RequestId = None  # noqa: N815 the wire's name
    eventData: Annotated[  # noqa: N815 the wire's name
        AnalyticsEventItem | Annotated[list[AnalyticsEventItem], Field(max_length=1)] | str,
        Field(description=_JSON_TEXT),
    ]


class AddEventBatchRequest(_Sent):
    """A pool of events."""

    Token: _Token = None
    mediaInfo: _Media = None  # noqa: N815 the wire's name
    requestId: _RequestId = None  # noqa: N815 the wire's name
    eventData: Annotated[  # noqa: N815 the wire's name
        list[AnalyticsEventItem] | AnalyticsEventItem | str, Field(description=_JSON_TEXT)
    ]


class AnalyticsReply(BaseModel):
    """Every answer. Severity: 1 all is well, 2 try again (with StatusCode 0: a part was refused), 3 don't."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    StatusCode: Annotated[int, Field(ge=0, le=9)]
    Severity: Literal[1, 2, 3]
    StatusMessage: str
    Content: bool
