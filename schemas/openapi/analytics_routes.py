"""The routes of the analytics API and of anonymous sessions. schemas/openapi/routes.py includes them."""

from schemas.analytics.body import FORM_TYPE, MAX_REQUEST_ID_CHARACTERS
from schemas.analytics.models import AddEventBatchRequest, AddEventRequest, AnalyticsReply
from schemas.analytics.sessions import SessionReply, SessionRequest
from schemas.errors.row import Kind
from schemas.openapi import examples
from schemas.openapi.route import WITH_BODY, Access, Answer, Body, Input, Operation, Parameter, Route

_PARAMETERS = (
    Parameter(
        name="partial",
        place="query",
        description="Register the valid events of a request that has invalid ones. By default none is registered.",
        schema={"type": "boolean", "default": False},
    ),
    Parameter(
        name="Idempotency-Key",
        place="header",
        description="The same as `requestId` in the body. If both are sent, they must be equal.",
        schema={"type": "string", "minLength": 1, "maxLength": MAX_REQUEST_ID_CHARACTERS, "pattern": "^[!-~]+$"},
    ),
    Parameter(
        name="Prefer",
        place="header",
        description="`respond-async` (RFC 7240): answer as soon as Kafka has stored the events.",
    ),
)
_ANSWERS = (
    Answer(
        description="Every event is registered once, by this request or an earlier one. With `partial` and Severity 2, "
        "StatusMessage says which events were refused. `Tallymill-Duplicate`: all events were registered before.",
        model=AnalyticsReply,
        headers=("Tallymill-Receipt", "Tallymill-Duplicate", "Server-Timing"),
        examples=examples.ANALYTICS_REPLIES,
        links={
            "fate": {"operationId": "getReceipt", "parameters": {"receipt": "$response.header.Tallymill-Receipt"}},
        },
    ),
)
_DESCRIPTION = (
    "Path and field names are case-insensitive. The path may have a version before it and a slash after it "
    "(`/2.4/addevent/`). A body that begins with `{` is JSON, whatever its Content-Type; any other body is a form. "
    "Without a requestId an event is identified by its content, so a pool that is sent again registers nothing twice."
)

ANALYTICS_ROUTES = (
    Route(
        method="post",
        path="/AddEvent",
        operation=Operation(
            operation_id="addEvent",
            tag="analytics",
            summary="Register one event",
            description=_DESCRIPTION,
        ),
        access=Access(
            token_in_body=True,
        ),
        input=Input(
            parameters=_PARAMETERS,
            body=Body(
                model=AddEventRequest,
                description="AddEventRequest.",
                examples=examples.EVENTS,
                also=(FORM_TYPE,),
            ),
        ),
        answers=_ANSWERS,
        family="analytics",
    ),
    Route(
        method="post",
        path="/AddEventBatch",
        operation=Operation(
            operation_id="addEventBatch",
            tag="analytics",
            summary="Register a pool of events",
            description=_DESCRIPTION,
        ),
        access=Access(
            token_in_body=True,
        ),
        input=Input(
            parameters=_PARAMETERS,
            body=Body(
                model=AddEventBatchRequest,
                description="AddEventBatchRequest.",
                examples=examples.POOLS,
                also=(FORM_TYPE,),
            ),
        ),
        answers=_ANSWERS,
        family="analytics",
    ),
    Route(
        method="post",
        path="/v1/sessions",
        operation=Operation(
            operation_id="createSession",
            tag="analytics",
            summary="Get an anonymous token",
            description="Only for apps that allow it, with a limit per address. Each token is a new actor, so keep it.",
        ),
        input=Input(
            body=Body(model=SessionRequest, description="SessionRequest.", examples=examples.SESSION_REQUESTS),
        ),
        answers=(Answer(description="The token.", model=SessionReply, examples=examples.SESSIONS),),
        errors=(Kind.FORBIDDEN, *WITH_BODY),
    ),
)
