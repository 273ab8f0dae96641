"""AddEvent and AddEventBatch as the OpenAPI document describes them. schemas/analytics/body.py reads the bodies.

Field names are case-insensitive, which JSON Schema can't express. They are spelled here as clients usually spell them.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.analytics.body import MAX_REQUEST_ID_CHARACTERS

Fields = dict[str, Any]


class _Sent(BaseModel):
    """Unknown fields are accepted: those of an item are kept, those of the envelope are ignored."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)


class AnalyticsEventItem(_Sent):
    """One event."""

    Timestamp: Annotated[
        str | float | int,
        Field(
            description="Seconds, milliseconds or microseconds since 1970, ISO 8601, or `/Date(ms)/`. A number that"
            " could also be a date (20260921, 20260921141320) is refused."
        ),
    ]
    Event: Annotated[str, Field(min_length=1, description="The title: 1 to 256 bytes of UTF-8 after trimming.")]
    Data: Annotated[
        Fields | list[Fields] | None,
        Field(description="Any fields. An array keeps its order and counts as one event."),
    ] = None


_RequestId = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=MAX_REQUEST_ID_CHARACTERS,
        description="An extension: events are identified by this id and their position in the pool, not by content.",
    ),
]
_Media = Annotated[str | None, Field(description="Base64 of a JSON object. It is decoded and stored with every event.")]
_Token = Annotated[
    str | None,
    Field(description="The token of a player or an anonymous session. Default: that of the Authorization header."),
]
_JSON_TEXT = "Or the same as JSON text in a string."


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
    """Every answer. Severity: 1 success, 2 retry (with StatusCode 0: some events were refused), 3 do not retry."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    StatusCode: Annotated[int, Field(ge=0, le=9)]
    Severity: Literal[1, 2, 3]
    StatusMessage: str
    Content: bool
