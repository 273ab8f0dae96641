"""The types that describe a route: its input, access, answers and errors.

The routes themselves: routes.py has those of the ingress, console_routes.py those of the console.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from schemas.errors.row import By, Kind
from schemas.openapi.examples import Example

JSON = "application/json"

# Any route: no valid HTTP/1.1, a method it does not accept, a head that is late or too large, an internal error.
ANYWHERE = (
    Kind.MALFORMED,
    Kind.WRONG_METHOD,
    Kind.REQUEST_LATE,
    Kind.HEAD_LARGE,
    Kind.INTERNAL,
    Kind.HTTP_VERSION,
)
# Any route of the ingress but the probes: an address that is too fast, all connections in use.
NOT_A_PROBE = (Kind.TOO_FAST, Kind.UNAVAILABLE)
# Any route that needs a token.
BY_TOKEN = (Kind.UNAUTHENTICATED, Kind.FORBIDDEN)
# Any route that has a body.
WITH_BODY = (Kind.MALFORMED, Kind.REQUEST_LATE, Kind.TOO_LARGE, Kind.MEDIA_TYPE)


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
    """A JSON body. Without a model it is optional, and can be anything.

    `also`: other media types in which the same fields can be sent.
    """

    model: type[BaseModel] | None
    description: str
    examples: Mapping[str, Example]
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a request that is not refused. Without a model the body is text of the media type.

    `also`: other media types, as text, that an Accept header may ask for. Without a media type there is no body.
    `cached`: the client may keep it, and asks with its ETag whether it is new.
    """

    status: int = 200
    description: str
    model: type[BaseModel] | None = None
    media_type: str = JSON
    also: tuple[str, ...] = ()
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    headers: tuple[str, ...] = ()
    cached: bool = False
    examples: Mapping[str, Example] = field(default_factory=dict)
    links: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What the documentation says about a route. `tag`: the section in which it is listed."""

    operation_id: str
    tag: str
    summary: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The token that a route needs: one with any of `scopes`. Without scopes the route needs no token.

    `token_in_body`: the token needs no scope, and may be in the body instead. `optional`: it may be left out.
    """

    scopes: tuple[str, ...] = ()
    token_in_body: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What a request consists of. `empty_is_absent`: an optional parameter of the query may be sent without a value."""

    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    empty_is_absent: bool = False


# The errors that a route can answer besides its own:
# - "api": those of ANYWHERE and the server's `not_a_probe`.
# - "probe": those of ANYWHERE.
# - "analytics": all errors that the table of errors has as an AnalyticsReply. The route has no others.
Family = Literal["api", "probe", "analytics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path."""

    method: Literal["get", "post"]
    path: str
    operation: Operation
    access: Access = Access()
    input: Input = Input()
    answers: tuple[Answer, ...]
    errors: tuple[Kind, ...] = ()
    family: Family = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """The HTTP API of one process. `bearer` describes its tokens.

    `not_a_probe`: the errors that any route but the probes can answer.
    """

    by: By
    title: str
    introduction: str
    tags: Mapping[str, str]
    bearer: str
    routes: tuple[Route, ...]
    not_a_probe: tuple[Kind, ...]
