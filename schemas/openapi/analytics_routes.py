"""The routes of the analytics API, and of anonymous sessions, as rows of the table in schemas/openapi/routes.py."""

from schemas.analytics.body import FORM_TYPE, MAX_REQUEST_ID_CHARACTERS
from schemas.analytics.models import AddEventBatchRequest, AddEventRequest, AnalyticsReply
from schemas.analytics.sessions import SessionReply, SessionRequest
from schemas.errors.row import Kind
from schemas.openapi import examples
from schemas.openapi.route import WITH_BODY, Answer, Body, Parameter, Route

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
        is_analytics=True,
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
        is_analytics=True,
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
        errors=(Kind.FORBIDDEN, *WITH_BODY),
    ),
)
