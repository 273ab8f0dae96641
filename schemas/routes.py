"""The routes of the ingress as a table: what each takes and answers. `schemas/openapi.py` writes it as a document.

A route is added by one entry in ROUTES. Tests hold that the app serves just these, and that an ingress answers
nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel

from schemas import examples
from schemas.examples import Example
from schemas.games import EventRecordRequest, EventUpdateResponse
from schemas.int64 import INT64_PATTERN, NOT_ZERO
from schemas.replies import LiveReply, ReadyReply, ReceiptReply, RequestReply
from schemas.settings import Limits

GAMES_SCOPE = "https://www.googleapis.com/auth/games"
GAMES_LITE_SCOPE = "https://www.googleapis.com/auth/games_lite"
RECORD_SCOPES = (GAMES_SCOPE, GAMES_LITE_SCOPE)

JSON = "application/json"


class ErrorRow(NamedTuple):
    """One row of the error answers: `name` is what the document calls it, `headers` are those it always has."""

    name: str
    code: int
    status: str
    reason: str
    description: str
    headers: tuple[str, ...] = ()


MALFORMED = ErrorRow(
    "Malformed",
    400,
    "INVALID_ARGUMENT",
    "badRequest",
    "No JSON, a wrong type, a missing or an unknown field. Nothing is recorded; the first 20 violations, by path.",
)
UNAUTHENTICATED = ErrorRow(
    "Unauthenticated", 401, "UNAUTHENTICATED", "authError", "No token, a bad or an expired one.", ("WWW-Authenticate",)
)
FORBIDDEN = ErrorRow(
    "Forbidden", 403, "PERMISSION_DENIED", "insufficientPermissions", "The token lacks the scope this needs."
)
NOT_FOUND = ErrorRow("NotFound", 404, "NOT_FOUND", "notFound", "There is no such thing, or it is another's.")
METHOD = ErrorRow(
    "WrongMethod", 405, "INVALID_ARGUMENT", "httpMethodNotAllowed", "This path does not take this method.", ("Allow",)
)
BODY_LATE = ErrorRow(
    "BodyLate",
    408,
    "DEADLINE_EXCEEDED",
    "requestTimeout",
    "The body was not sent in time; the connection is closed.",
)
GONE = ErrorRow("Gone", 410, "NOT_FOUND", "gone", "What became of it is no longer known.")
BODY_LARGE = ErrorRow(
    "BodyLarge", 413, "INVALID_ARGUMENT", "requestTooLarge", "The body is larger than `max_body_bytes`, decoded."
)
MEDIA_TYPE = ErrorRow(
    "MediaType",
    415,
    "INVALID_ARGUMENT",
    "unsupportedMediaType",
    "The body is not JSON in UTF-8, or in an encoding that is not read.",
    ("Accept-Encoding",),
)
INTERNAL = ErrorRow("Internal", 500, "INTERNAL", "backendError", "An error of ours.")
UNAVAILABLE = ErrorRow(
    "Unavailable",
    503,
    "UNAVAILABLE",
    "backendError",
    "Kafka or MongoDB is away, or did not answer in time. Send the same again, a batch with the same requestId.",
    ("Retry-After",),
)

# Whatever the route: a method it doesn't take, a bug.
ANYWHERE = (METHOD, INTERNAL)
# Whatever asks for a token.
BY_TOKEN = (UNAUTHENTICATED, FORBIDDEN)
# Whatever has a body.
WITH_BODY = (MALFORMED, BODY_LATE, BODY_LARGE, MEDIA_TYPE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    name: str
    place: Literal["path", "query", "header"]
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    example: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A JSON body that is required."""

    model: type[BaseModel]
    description: str
    examples: Mapping[str, Example]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered when nothing is refused. Without a model the body is text of the media type."""

    status: int = 200
    description: str
    model: type[BaseModel] | None = None
    media_type: str = JSON
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    headers: tuple[str, ...] = ()
    examples: Mapping[str, Example] = field(default_factory=dict)
    links: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path. `scopes`: the token needs any one of them; without any, no token is asked for."""

    method: Literal["get", "post"]
    path: str
    operation_id: str
    tag: str
    summary: str
    description: str = ""
    scopes: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    answers: tuple[Answer, ...]
    errors: tuple[ErrorRow, ...] = ()


TAGS = {
    "games": "Google Play Games events.",
    "fate": "What became of a batch.",
    "service": "The service itself: limits, health, metrics, documentation. No token.",
}

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
        errors=(*BY_TOKEN, *WITH_BODY, UNAVAILABLE),
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
        errors=(NOT_FOUND, GONE, UNAVAILABLE),
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
        errors=(MALFORMED, *BY_TOKEN, NOT_FOUND, UNAVAILABLE),
    ),
    Route(
        method="get",
        path="/v1/limits",
        operation_id="getLimits",
        tag="service",
        summary="What a request may hold",
        answers=(Answer(description="The limits in force.", model=Limits, examples=examples.LIMITS),),
    ),
    Route(
        method="get",
        path="/livez",
        operation_id="getLiveness",
        tag="service",
        summary="Whether the process runs",
        answers=(Answer(description="It does.", model=LiveReply),),
    ),
    Route(
        method="get",
        path="/readyz",
        operation_id="getReadiness",
        tag="service",
        summary="Whether requests should be sent here",
        answers=(
            Answer(description="They should.", model=ReadyReply),
            Answer(status=503, description="They should not; `missing` says why.", model=ReadyReply),
        ),
    ),
    Route(
        method="get",
        path="/metrics",
        operation_id="getMetrics",
        tag="service",
        summary="Metrics, as Prometheus reads them",
        answers=(Answer(description="Prometheus text format 0.0.4.", media_type="text/plain"),),
    ),
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
