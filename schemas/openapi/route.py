"""What a route is said in: rows of error answers, parameters, bodies, answers (routes.py, console_routes.py)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel

from schemas.openapi.examples import Example

JSON = "application/json"


class ErrorRow(NamedTuple):
    """One row of the error answers: `name` is what the document calls it, `headers` are those it always has."""

    name: str
    code: int
    status: str
    reason: str
    description: str
    headers: tuple[str, ...] = ()


class AnalyticsRow(NamedTuple):
    """One row of the analytics API's failures, which have a shape of their own."""

    name: str
    code: int
    status_codes: tuple[int, ...]
    severity: int
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
    "Forbidden",
    403,
    "PERMISSION_DENIED",
    "insufficientPermissions",
    "The token lacks the scope this needs; or the app has no anonymous sessions.",
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
    "The body is not JSON in UTF-8, or in an encoding that is not read: then `Accept-Encoding` says which are.",
)
ADDRESS_RATE = ErrorRow(
    "AddressRate",
    429,
    "RESOURCE_EXHAUSTED",
    "rateLimitExceeded",
    "Too many requests from this address.",
    ("Retry-After",),
)
HEAD_LARGE = ErrorRow(
    "HeadLarge",
    431,
    "RESOURCE_EXHAUSTED",
    "requestHeaderFieldsTooLarge",
    "The head of the request is larger than 64 KiB or has more than 100 headers; the connection is closed.",
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

HTTP_VERSION = ErrorRow(
    "HttpVersion",
    505,
    "INVALID_ARGUMENT",
    "httpVersionNotSupported",
    "Only HTTP/1.1 and HTTP/1.0 are served; the connection is closed.",
)

# Whatever the route: a method it doesn't take, a head that is too large, a bug, another HTTP.
ANYWHERE = (METHOD, HEAD_LARGE, INTERNAL, HTTP_VERSION)
# Whatever isn't a probe: a query that can't be read (G2), an address that is too fast.
BY_ANYBODY = (MALFORMED, ADDRESS_RATE)
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
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A JSON body. It is required, unless there is no model: then anything is taken, also nothing.

    `also`: other media types in which the same is taken.
    """

    model: type[BaseModel] | None
    description: str
    examples: Mapping[str, Example]
    also: tuple[str, ...] = ()


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
    """One method of one path. `scopes`: the token needs any one of them; without any, no token is asked for.

    `token_in_body`: a token without any scope, which may stand in the body instead.
    """

    method: Literal["get", "post"]
    path: str
    operation_id: str
    tag: str
    summary: str
    description: str = ""
    scopes: tuple[str, ...] = ()
    token_in_body: bool = False
    is_probe: bool = False
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    answers: tuple[Answer, ...]
    errors: tuple[ErrorRow | AnalyticsRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """The HTTP API of one process. `by_anybody`: what each route that is no probe may be answered by the pipeline."""

    title: str
    introduction: str
    tags: Mapping[str, str]
    bearer: str
    routes: tuple[Route, ...]
    by_anybody: tuple[ErrorRow, ...]
