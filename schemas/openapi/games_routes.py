"""The routes of the games API. schemas/openapi/routes.py includes them."""

from schemas.errors.row import Kind
from schemas.games.body import (
    DEFAULT_RESULTS,
    MAX_RESULTS,
    EventDefinitionListResponse,
    EventUpdateResponse,
    PlayerEventListResponse,
)
from schemas.games.dry_run import DryRunAnswer
from schemas.games.models import EventRecordRequest
from schemas.games.scopes import GAMES_SCOPE, RECORD_SCOPES
from schemas.openapi import examples
from schemas.openapi.route import BY_TOKEN, WITH_BODY, Access, Answer, Body, Input, Operation, Parameter, Route

LANGUAGE = Parameter(
    name="language",
    place="query",
    description="The language of texts and numbers (BCP 47). Default: Accept-Language, then the app's default. "
    "Never an error.",
)
PAGED = (
    LANGUAGE,
    Parameter(
        name="maxResults",
        place="query",
        description=f"The maximum number of items of a page. Above {MAX_RESULTS} it is {MAX_RESULTS}.",
        schema={
            "type": "integer",
            "format": "int32",
            "minimum": 1,
            "maximum": 2**31 - 1,
            "default": DEFAULT_RESULTS,
        },
    ),
    Parameter(
        name="pageToken",
        place="query",
        description="`nextPageToken` of the previous page. It is valid only for this list and this player.",
        schema={"type": "string", "maxLength": 255},
    ),
)

GAMES_ROUTES = (
    Route(
        method="post",
        path="/games/v1/events",
        operation=Operation(
            operation_id="recordEvents",
            tag="games",
            summary="Record a batch of events",
            description="200 means: counted exactly once, by this attempt or an earlier one with this requestId. "
            "The answer names each period or update that is well-formed but refused; the others count. Retry with the "
            "same requestId until there is an answer other than 408, 429, 500 and 503.",
        ),
        access=Access(
            scopes=RECORD_SCOPES,
        ),
        input=Input(
            parameters=(
                LANGUAGE,
                Parameter(
                    name="Prefer",
                    place="header",
                    description="`respond-async` (RFC 7240): answer as soon as Kafka has stored the batch, with the "
                    "known totals.",
                ),
            ),
            body=Body(model=EventRecordRequest, description="EventRecordRequest.", examples=examples.BATCHES),
        ),
        answers=(
            Answer(
                description="Recorded, except what `batchFailures` and `eventFailures` name. The answer has "
                "`Tallymill-Receipt` if something was published, and `Retry-After` with RECORD_RATE_HIGH.",
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
        operation=Operation(
            operation_id="listPlayerEvents",
            tag="games",
            summary="The player's totals, by definitionId",
            description="Events that were recorded at least once, including those of retired definitions.",
        ),
        access=Access(
            scopes=(GAMES_SCOPE,),
        ),
        input=Input(
            parameters=PAGED,
        ),
        answers=(Answer(description="A page.", model=PlayerEventListResponse, examples=examples.PLAYER_EVENTS),),
        errors=(*BY_TOKEN, Kind.UNAVAILABLE),
    ),
    Route(
        method="get",
        path="/games/v1/eventDefinitions",
        operation=Operation(
            operation_id="listEventDefinitions",
            tag="games",
            summary="The current definitions, by id",
            description="A HIDDEN definition is listed only for a player who has recorded it.",
        ),
        access=Access(
            scopes=(GAMES_SCOPE,),
        ),
        input=Input(
            parameters=PAGED,
        ),
        answers=(Answer(description="A page.", model=EventDefinitionListResponse, examples=examples.DEFINITIONS),),
        errors=(*BY_TOKEN, Kind.UNAVAILABLE),
    ),
    Route(
        method="post",
        path="/v1/validate",
        operation=Operation(
            operation_id="validateBatch",
            tag="games",
            summary="What events.record would do with a batch, without doing it",
            description="The same checks as events.record. Nothing is published, and no id is remembered. A body that "
            "is not a valid batch is answered with its violations. The rate limit is separate.",
        ),
        access=Access(
            scopes=RECORD_SCOPES,
        ),
        input=Input(
            body=Body(
                model=None,
                description="EventRecordRequest, or any other body, to check whether it is one.",
                examples=examples.BATCHES,
            ),
        ),
        answers=(
            Answer(
                description="What events.record would do. It has `Retry-After` with RECORD_RATE_HIGH.",
                model=DryRunAnswer,
                headers=("Retry-After",),
                examples=examples.DRY_RUNS,
            ),
        ),
        errors=(*BY_TOKEN, *(row for row in WITH_BODY if row is not Kind.MALFORMED), Kind.UNAVAILABLE),
    ),
)
