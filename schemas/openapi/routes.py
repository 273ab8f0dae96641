"""The routes of the ingress as a table: parameters, bodies and answers of each.

`schemas/openapi/document.py` makes the OpenAPI document of it. A new route is one entry in ROUTES. Tests check that the
app serves exactly these routes, and that every error of the ingress is in the document.
"""

from schemas.documents import ID_SCHEMA_PATTERN
from schemas.errors.row import By, Kind
from schemas.games.scopes import RECORD_SCOPES
from schemas.openapi import examples
from schemas.openapi.analytics_routes import ANALYTICS_ROUTES
from schemas.openapi.games_routes import GAMES_ROUTES
from schemas.openapi.probes import PROBES
from schemas.openapi.route import (
    BY_TOKEN,
    NOT_A_PROBE,
    Access,
    Answer,
    Described,
    Input,
    Operation,
    Parameter,
    Route,
)
from schemas.settings import Limits
from schemas.wire.int64 import INT64_PATTERN, NOT_ZERO
from schemas.wire.refusals import DEFAULT_REFUSALS, MAX_REFUSALS, REFUSALS_SCOPE, RefusalsAnswer
from schemas.wire.replies import ReceiptReply, RequestReply

TAGS = {
    "games": "Google Play Games events.",
    "analytics": "Analytics events: AddEvent and AddEventBatch, logged in or anonymous.",
    "fate": "The state of a batch.",
    "service": "The service: limits, health, metrics, documentation. They need no token.",
}

_INTRODUCTION = """\
Counts events exactly once. int64 values are JSON strings; a request may also use integers. Times are milliseconds \
since 1970 UTC. A path that is not in this document is 404, with the same error body. There are no redirects. HEAD \
works wherever GET does.

Query parameters of all routes but the probes: `alt` can only be `json`, `prettyPrint=true` indents the reply, and \
`fields` selects a part of a 200 reply (Google's partial responses: `playerEvents(definitionId,numEvents)`). Unknown \
parameters are ignored.

A POST with `x-http-method-override: GET` and a form body is handled as that GET. Bodies can be compressed with gzip, \
deflate or zstd. Replies are compressed if Accept-Encoding asks for it."""

ROUTES = (
    *GAMES_ROUTES,
    *ANALYTICS_ROUTES,
    Route(
        method="get",
        path="/v1/refusals",
        operation=Operation(
            operation_id="listRefusals",
            tag="fate",
            summary="Why events of an app were dropped: a sample, newest first",
            description="For the app of the token. It shows what all players of the app sent, so it needs its own "
            "scope.",
        ),
        access=Access(
            scopes=(REFUSALS_SCOPE,),
        ),
        input=Input(
            empty_is_absent=True,
            parameters=(
                Parameter(
                    name="cause",
                    place="query",
                    description="Only refusals with this cause.",
                    schema={"type": "string", "minLength": 1},
                ),
                Parameter(name="player", place="query", description="Only refusals of this player."),
                Parameter(
                    name="limit",
                    place="query",
                    description=f"The maximum number of refusals of a page. Above {MAX_REFUSALS} it is {MAX_REFUSALS}.",
                    schema={"type": "integer", "minimum": 1, "default": DEFAULT_REFUSALS},
                ),
                Parameter(
                    name="before",
                    place="query",
                    description="`nextBefore` of the previous page.",
                    schema={"type": "string", "pattern": "^[0-9a-f]{24}$"},
                ),
            ),
        ),
        answers=(Answer(description="A page.", model=RefusalsAnswer, examples=examples.REFUSALS),),
        errors=(Kind.MALFORMED, *BY_TOKEN, Kind.UNAVAILABLE),
    ),
    Route(
        method="get",
        path="/v1/receipts/{receipt}",
        operation=Operation(
            operation_id="getReceipt",
            tag="fate",
            summary="The state of a batch, by its receipt",
            description="No token is needed: the receipt is signed, and only the client that got the answer has it.",
        ),
        input=Input(
            parameters=(
                Parameter(
                    name="receipt",
                    place="path",
                    description="`Tallymill-Receipt` of the answer.",
                    schema={"type": "string", "pattern": r"^[^./]+\.[0-9]+\.[0-9]+\.[0-9]+(\.[0-9]+)?\.[0-9a-f]{64}$"},
                    example=examples.RECEIPT,
                ),
            ),
        ),
        answers=(Answer(description="Its state.", model=ReceiptReply, examples=examples.RECEIPTS),),
        errors=(Kind.NOT_FOUND, Kind.GONE, Kind.UNAVAILABLE),
    ),
    Route(
        method="get",
        path="/v1/requests/{requestId}",
        operation=Operation(
            operation_id="getRequest",
            tag="fate",
            summary="Whether a request of the player has counted",
            description="404 if the request never counted, is no longer remembered, or belongs to another player.",
        ),
        access=Access(
            scopes=RECORD_SCOPES,
        ),
        input=Input(
            parameters=(
                Parameter(
                    name="requestId",
                    place="path",
                    description="The requestId of the body. Never 0.",
                    schema={"type": "string", "format": "int64", "pattern": INT64_PATTERN, **NOT_ZERO},
                    example="7",
                ),
            ),
        ),
        answers=(Answer(description="It counted.", model=RequestReply, examples=examples.REQUESTS),),
        errors=(Kind.MALFORMED, *BY_TOKEN, Kind.NOT_FOUND, Kind.UNAVAILABLE),
    ),
    Route(
        method="get",
        path="/v1/limits",
        operation=Operation(
            operation_id="getLimits",
            tag="service",
            summary="The limits of a request",
            description="The general limits, or those of one app.",
        ),
        input=Input(
            parameters=(
                Parameter(
                    name="app",
                    place="query",
                    description="An app. Without limits of its own it has the general ones.",
                    schema={"type": "string", "pattern": ID_SCHEMA_PATTERN},
                ),
            ),
        ),
        answers=(Answer(description="The limits.", model=Limits, examples=examples.LIMITS),),
        errors=(Kind.MALFORMED,),
    ),
    Route(
        method="get",
        path="/static/default-event.png",
        operation=Operation(
            operation_id="getDefaultImage",
            tag="service",
            summary="The default image of a definition",
        ),
        answers=(Answer(description="A PNG.", media_type="image/png", schema={}),),
    ),
    *PROBES,
    Route(
        method="get",
        path="/openapi.json",
        operation=Operation(
            operation_id="getDocument",
            tag="service",
            summary="This document",
        ),
        answers=(Answer(description="OpenAPI 3.1.", schema={"type": "object", "required": ["openapi", "paths"]}),),
    ),
    Route(
        method="get",
        path="/docs",
        operation=Operation(
            operation_id="getDocumentation",
            tag="service",
            summary="This document, as a page",
        ),
        answers=(Answer(description="HTML.", media_type="text/html"),),
    ),
)

INGRESS = Described(
    by=By.INGRESS,
    title="tallymill",
    introduction=_INTRODUCTION,
    tags=TAGS,
    bearer="A token that names the app and the player. It is read from this header, never from the query. AddEvent "
    "and AddEventBatch also accept it as `Token` in the body.",
    routes=ROUTES,
    not_a_probe=NOT_A_PROBE,
)
