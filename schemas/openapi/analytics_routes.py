"""The routes of the analytics API, and of anonymous sessions, as rows of the table in schemas/openapi/routes.py."""

from schemas.analytics.body import FORM_TYPE, MAX_REQUEST_ID_CHARACTERS
from schemas.analytics.models import AddEventBatchRequest, AddEventRequest, AnalyticsReply
from schemas.analytics.sessions import SessionReply, SessionRequest
from schemas.analytics.stored import MAX_STORED_BYTES
from schemas.openapi import examples
from schemas.openapi.route import ADDRESS_RATE, FORBIDDEN, WITH_BODY, AnalyticsRow, Answer, Body, Parameter, Route
from schemas.wire.depth import MAX_VALUES

# What is refused, by HTTP status: which StatusCode and Severity the answer has.
ANALYTICS_ERRORS = (
    AnalyticsRow(
        "AnalyticsMalformed",
        400,
        (1, 2),
        3,
        "1: no JSON and no form, with line and column. 2: a field; the first ten are named (`eventData[3].Timestamp`).",
    ),
    AnalyticsRow("AnalyticsUnauthenticated", 401, (3,), 3, "No token, a bad or an expired one.", ("WWW-Authenticate",)),
    AnalyticsRow("AnalyticsForbidden", 403, (4,), 3, "The app takes no anonymous tokens.", ("WWW-Authenticate",)),
    AnalyticsRow("AnalyticsWrongMethod", 405, (8,), 3, "This path takes POST alone.", ("Allow",)),
    AnalyticsRow("AnalyticsBodyLate", 408, (7,), 2, "The body was not sent in time; the connection is closed."),
    AnalyticsRow(
        "AnalyticsTooLarge",
        413,
        (5,),
        3,
        "The body is larger than `max_analytics_body_bytes`, decoded, holds more than `max_items_per_request` or "
        f"{MAX_VALUES} JSON values, or its events take more than {MAX_STORED_BYTES >> 20} MiB to store.",
    ),
    AnalyticsRow(
        "AnalyticsMediaType",
        415,
        (1,),
        3,
        "Multipart, a charset other than UTF-8, or an encoding that is not read: `Accept-Encoding` says which are.",
    ),
    AnalyticsRow(
        "AnalyticsPayloadDiffers",
        422,
        (2,),
        3,
        "Events that differ from those registered under the same `requestId` or `Idempotency-Key`: they are named, and "
        "not registered. Where that is not known in time the answer is 200, and the receipt tells.",
        ("Tallymill-Receipt",),
    ),
    AnalyticsRow(
        "AnalyticsTooFast",
        429,
        (6,),
        2,
        "This sender or this address is too fast, or the workers are far behind.",
        ("Retry-After",),
    ),
    AnalyticsRow(
        "AnalyticsHeadLarge",
        431,
        (5,),
        3,
        "The head of the request is larger than 64 KiB or has more than 100 headers; the connection is closed.",
    ),
    AnalyticsRow("AnalyticsInternal", 500, (9,), 2, "An error of ours."),
    AnalyticsRow(
        "AnalyticsUnavailable",
        503,
        (7,),
        2,
        "Kafka is away, or did not answer in time. Send the same again.",
        ("Retry-After",),
    ),
    AnalyticsRow(
        "AnalyticsHttpVersion", 505, (1,), 3, "Only HTTP/1.1 and HTTP/1.0 are served; the connection is closed."
    ),
)

_PARAMETERS = (
    Parameter(
        name="partial",
        place="query",
        description="Whether the good events of a request with bad ones are registered; without it none is.",
        schema={"type": "boolean", "default": False},
        example=True,
    ),
    Parameter(
        name="Idempotency-Key",
        place="header",
        description="As `requestId` in the body; where both are given, the same.",
        schema={"type": "string", "minLength": 1, "maxLength": MAX_REQUEST_ID_CHARACTERS, "pattern": "^[!-~]+$"},
        example="pool-7",
    ),
    Parameter(
        name="Prefer",
        place="header",
        description="`respond-async` (RFC 7240): answered once Kafka has the events.",
        example="respond-async",
    ),
)
_ANSWERS = (
    Answer(
        description="Every event is registered once, by this request or an earlier one. With `partial` and Severity 2: "
        "but for those that StatusMessage counts. `Tallymill-Duplicate` where all had been registered before.",
        model=AnalyticsReply,
        headers=("Tallymill-Receipt", "Tallymill-Duplicate", "Server-Timing"),
        examples=examples.ANALYTICS_REPLIES,
        links={
            "fate": {"operationId": "getReceipt", "parameters": {"receipt": "$response.header.Tallymill-Receipt"}},
        },
    ),
)
_DESCRIPTION = (
    "The path is read in any case, with or without a slash behind and a version in front (`/2.4/addevent/`); so are "
    "the names of fields. A body that begins with `{` is JSON whatever it is announced as, otherwise a form. Without a "
    "requestId an event is known by its content, so that a pool sent again registers nothing twice."
)

ANALYTICS_ROUTES = (
    Route(
        method="post",
        path="/AddEvent",
        operation_id="addEvent",
        tag="analytics",
        summary="Register one event",
        description=_DESCRIPTION,
        parameters=_PARAMETERS,
        token_in_body=True,
        body=Body(
            model=AddEventRequest,
            description="AddEventRequest.",
            examples=examples.EVENTS,
            also=(FORM_TYPE,),
        ),
        answers=_ANSWERS,
        errors=ANALYTICS_ERRORS,
    ),
    Route(
        method="post",
        path="/AddEventBatch",
        operation_id="addEventBatch",
        tag="analytics",
        summary="Register a pool of events",
        description=_DESCRIPTION,
        parameters=_PARAMETERS,
        token_in_body=True,
        body=Body(
            model=AddEventBatchRequest,
            description="AddEventBatchRequest.",
            examples=examples.POOLS,
            also=(FORM_TYPE,),
        ),
        answers=_ANSWERS,
        errors=ANALYTICS_ERRORS,
    ),
    Route(
        method="post",
        path="/v1/sessions",
        operation_id="createSession",
        tag="analytics",
        summary="An anonymous token",
        description="For apps that allow it; limited per address. Each is an actor of its own: keep it.",
        body=Body(model=SessionRequest, description="SessionRequest.", examples=examples.SESSION_REQUESTS),
        answers=(Answer(description="The token.", model=SessionReply, examples=examples.SESSIONS),),
        errors=(FORBIDDEN, *WITH_BODY, ADDRESS_RATE),
    ),
)
