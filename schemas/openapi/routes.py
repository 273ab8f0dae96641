"""The routes of the ingress as a table: what each takes and answers.

`schemas/openapi/document.py` writes it as a document.

A route is added by one entry in ROUTES. Tests hold that the app serves just these, and that an ingress answers
nothing else.
"""

from schemas.documents import ID_SCHEMA_PATTERN
from schemas.errors.row import By, Kind
from schemas.errors.table import GAMES_LITE_SCOPE, GAMES_SCOPE
from schemas.games.body import (
    DEFAULT_RESULTS,
    MAX_RESULTS,
    EventDefinitionListResponse,
    EventUpdateResponse,
    PlayerEventListResponse,
)
from schemas.games.dry_run import DryRunAnswer
from schemas.games.models import EventRecordRequest
from schemas.openapi import examples
from schemas.openapi.analytics_routes import ANALYTICS_ROUTES
from schemas.openapi.probes import PROBES
from schemas.openapi.route import (
    BY_TOKEN,
    NOT_A_PROBE,
    WITH_BODY,
    Answer,
    Body,
    Described,
    Parameter,
    Route,
)
from schemas.settings import Limits
from schemas.wire.int64 import INT64_PATTERN, NOT_ZERO
from schemas.wire.refusals import DEFAULT_REFUSALS, MAX_REFUSALS, REFUSALS_SCOPE, RefusalsAnswer
from schemas.wire.replies import ReceiptReply, RequestReply

RECORD_SCOPES = (GAMES_SCOPE, GAMES_LITE_SCOPE)

TAGS = {
    "games": "Google Play Games events.",
    "analytics": "Analytics events: AddEvent and AddEventBatch, logged in or anonymous.",
    "fate": "What became of a batch.",
    "service": "The service itself: limits, health, metrics, documentation. No token.",
}

_INTRODUCTION = """\
Counts events exactly once. int64 values are JSON strings (an integer is taken too); times are milliseconds since 1970 \
UTC. A path that is not in this document is 404, with the same error body. Never a redirect. HEAD is answered where \
GET is.

Queries, where there is no probe: `alt=json` is all that is served, `prettyPrint=true` indents, `fields` keeps a part \
of a 200 reply (Google's partial responses: `playerEvents(definitionId,numEvents)`); what is not known is ignored.

A POST with `x-http-method-override: GET` and a form body is that GET. Bodies may be gzip, deflate or zstd; so are \
replies, when asked."""

LANGUAGE = Parameter(
    name="language",
    place="query",
    description="BCP 47, for texts and numbers; else Accept-Language, else the default. Never an error.",
    example="pt-BR",
)
PAGED = (
    LANGUAGE,
    Parameter(
        name="maxResults",
        place="query",
        description=f"Most items of a page; more than {MAX_RESULTS} is {MAX_RESULTS}.",
        schema={
            "type": "integer",
            "format": "int32",
            "minimum": 1,
            "maximum": 2**31 - 1,
            "default": DEFAULT_RESULTS,
        },
        example=10,
    ),
    Parameter(
        name="pageToken",
        place="query",
        description="`nextPageToken` of the page before; of this list and player alone.",
        schema={"type": "string", "maxLength": 255},
        example="",
    ),
)

ROUTES = (
    Route(
        method="post",
        path="/games/v1/events",
        operation_id="recordEvents",
        tag="games",
        summary="Record a batch of events",
        description="OK means: counted exactly once, by this attempt or an earlier one with this requestId. A period "
        "or update that is well-formed but wrong is told in the answer, and never affects the others. Retry with the "
        "same requestId until there is an answer other than 408, 429, 500 and 503.",
        scopes=RECORD_SCOPES,
        parameters=(
            LANGUAGE,
            Parameter(
                name="Prefer",
                place="header",
                description="`respond-async` (RFC 7240): answered once Kafka has the batch, with the totals known.",
                example="respond-async",
            ),
        ),
        body=Body(model=EventRecordRequest, description="EventRecordRequest.", examples=examples.BATCHES),
        answers=(
            Answer(
                description="Recorded, but for what `batchFailures` and `eventFailures` name. `Tallymill-Receipt` is "
                "there if something was published, `Retry-After` with RECORD_RATE_HIGH.",
                model=EventUpdateResponse,
                headers=("Tallymill-Receipt", "Retry-After", "Server-Timing"),
                examples=examples.UPDATE_RESPONSES,
                links={
                    "fate": {
                        "operationId": "getReceipt",
                        "parameters": {"receipt": "$response.header.Tallymill-Receipt"},
                    },
                    "request": {
                        "operationId": "getRequest",
                        "parameters": {"requestId": "$request.body#/requestId"},
                    },
                },
            ),
        ),
        errors=(*BY_TOKEN, *WITH_BODY, Kind.UNAVAILABLE),
    ),
    Route(
        method="get",
        path="/games/v1/events",
        operation_id="listPlayerEvents",
        tag="games",
        summary="The player's totals, by definitionId",
        description="Events recorded at least once, those of retired definitions too.",
        scopes=(GAMES_SCOPE,),
        parameters=PAGED,
        answers=(Answer(description="A page.", model=PlayerEventListResponse, examples=examples.PLAYER_EVENTS),),
        errors=(*BY_TOKEN, Kind.UNAVAILABLE),
    ),
    Route(
        method="get",
        path="/games/v1/eventDefinitions",
        operation_id="listEventDefinitions",
        tag="games",
        summary="The definitions in force, by id",
        description="A HIDDEN one only for a player who has recorded it.",
        scopes=(GAMES_SCOPE,),
        parameters=PAGED,
        answers=(Answer(description="A page.", model=EventDefinitionListResponse, examples=examples.DEFINITIONS),),
        errors=(*BY_TOKEN, Kind.UNAVAILABLE),
    ),
    Route(
        method="post",
        path="/v1/validate",
        operation_id="validateBatch",
        tag="games",
        summary="What events.record would do with a batch, without doing it",
        description="The same judging; nothing is published, no id is remembered. A body that is no batch is answered "
        "too, with its violations. It has a rate of its own.",
        scopes=RECORD_SCOPES,
        body=Body(model=None, description="EventRecordRequest, or what may be one.", examples=examples.BATCHES),
        answers=(
            Answer(
                description="What would become of it. `Retry-After` with RECORD_RATE_HIGH.",
                model=DryRunAnswer,
                headers=("Retry-After",),
                examples=examples.DRY_RUNS,
            ),
        ),
        errors=(*BY_TOKEN, *(row for row in WITH_BODY if row is not Kind.MALFORMED), Kind.UNAVAILABLE),
    ),
    *ANALYTICS_ROUTES,
    Route(
        method="get",
        path="/v1/refusals",
        operation_id="listRefusals",
        tag="fate",
        summary="Why events of an app were dropped: a sample, newest first",
        description="The app is the token's. It shows what all players of the app have sent, hence a scope of its own.",
        scopes=(REFUSALS_SCOPE,),
        parameters=(
            Parameter(
                name="cause",
                place="query",
                description="Only this cause.",
                schema={"type": "string", "minLength": 1},
                example="NOT_FOUND",
            ),
            Parameter(name="player", place="query", description="Only this player's.", example="ann"),
            Parameter(
                name="limit",
                place="query",
                description=f"Most refusals of one page; more than {MAX_REFUSALS} is {MAX_REFUSALS}.",
                schema={"type": "integer", "minimum": 1, "default": DEFAULT_REFUSALS},
                example=10,
            ),
            Parameter(
                name="before",
                place="query",
                description="`nextBefore` of the page before.",
                schema={"type": "string", "pattern": "^[0-9a-f]{24}$"},
                example="6a1f0c9b2f4e4d5a9c8b7a60",
            ),
        ),
        answers=(Answer(description="A page.", model=RefusalsAnswer, examples=examples.REFUSALS),),
        errors=(Kind.MALFORMED, *BY_TOKEN, Kind.UNAVAILABLE),
    ),
    Route(
        method="get",
        path="/v1/receipts/{receipt}",
        operation_id="getReceipt",
        tag="fate",
        summary="What became of a batch, by its receipt",
        description="No token: the receipt is signed, and who holds it got the answer.",
        parameters=(
            Parameter(
                name="receipt",
                place="path",
                description="`Tallymill-Receipt` of the answer.",
                schema={"type": "string", "pattern": r"^[^./]+\.[0-9]+\.[0-9]+\.[0-9]+\.[0-9a-f]{64}$"},
                example=examples.RECEIPT,
            ),
        ),
        answers=(Answer(description="Its state.", model=ReceiptReply, examples=examples.RECEIPTS),),
        errors=(Kind.NOT_FOUND, Kind.GONE, Kind.UNAVAILABLE),
    ),
    Route(
        method="get",
        path="/v1/requests/{requestId}",
        operation_id="getRequest",
        tag="fate",
        summary="Whether a request of the player's own counted",
        description="404 for one that never counted, is forgotten, or is another player's.",
        scopes=RECORD_SCOPES,
        parameters=(
            Parameter(
                name="requestId",
                place="path",
                description="As in the body; never 0.",
                schema={"type": "string", "format": "int64", "pattern": INT64_PATTERN, **NOT_ZERO},
                example="7",
            ),
        ),
        answers=(Answer(description="It counted.", model=RequestReply, examples=examples.REQUESTS),),
        errors=(Kind.MALFORMED, *BY_TOKEN, Kind.NOT_FOUND, Kind.UNAVAILABLE),
    ),
    Route(
        method="get",
        path="/v1/limits",
        operation_id="getLimits",
        tag="service",
        summary="What a request may hold",
        description="Everybody's limits, or those in force for one app.",
        parameters=(
            Parameter(
                name="app",
                place="query",
                description="An app; one without limits of its own has everybody's.",
                schema={"type": "string", "pattern": ID_SCHEMA_PATTERN},
                example="demo",
            ),
        ),
        answers=(Answer(description="The limits in force.", model=Limits, examples=examples.LIMITS),),
        errors=(Kind.MALFORMED,),
    ),
    Route(
        method="get",
        path="/static/default-event.png",
        operation_id="getDefaultImage",
        tag="service",
        summary="The image of a definition that has none",
        answers=(Answer(description="A PNG.", media_type="image/png", schema={}),),
    ),
    *PROBES,
    Route(
        method="get",
        path="/openapi.json",
        operation_id="getDocument",
        tag="service",
        summary="This document",
        answers=(Answer(description="OpenAPI 3.1.", schema={"type": "object", "required": ["openapi", "paths"]}),),
    ),
    Route(
        method="get",
        path="/docs",
        operation_id="getDocumentation",
        tag="service",
        summary="This document, as a page",
        answers=(Answer(description="HTML.", media_type="text/html"),),
    ),
)

INGRESS = Described(
    by=By.INGRESS,
    title="tallymill",
    introduction=_INTRODUCTION,
    tags=TAGS,
    bearer="A token that names app and player. In this header, never in the query; of AddEvent "
    "and AddEventBatch it may be the body's `Token` instead.",
    routes=ROUTES,
    not_a_probe=NOT_A_PROBE,
)
