"""An HTTP request, read once from ASGI's scope. An endpoint takes a Request and returns a Reply."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from serving.clock import Clock
from serving.headers import RawHeader
from serving.http.reply import Reply
from serving.http.whole import Body, Receive, Scope

Asgi = Callable[[Any, Any, Any], Awaitable[None]]

# Headers whose values are lists. If one is sent twice, the values are one list (RFC 9110, section 5.3).
_LISTS: Final = (b"accept-encoding", b"content-encoding", b"x-forwarded-for")
_NO_PARAMETERS: Final[Mapping[str, str]] = {}


class Target(NamedTuple):
    """The target of a request (RFC 9112): its path and its query."""

    path: str
    query_string: bytes
    """The query as it was sent, without the `?`."""
    path_parameters: Mapping[str, str] = _NO_PARAMETERS
    """What the route's `{name}` stands for."""
    query: Mapping[str, str] = _NO_PARAMETERS
    """The query parameters. Empty until they are parsed, because each API has its own rules for wrong ones."""


class Request(msgspec.Struct, frozen=True):
    """`wall_millis` and `monotonic_seconds` say when it arrived, by both clocks."""

    method: str
    target: Target
    headers: Mapping[bytes, bytes]
    """By lower-case name."""
    bearer: str | None
    """The token of the Authorization header."""
    address: str | None
    """The IP address at the other end of the connection, perhaps a proxy's. None without a TCP connection."""
    read: Body
    """Reads the body."""
    wall_millis: int
    monotonic_seconds: float

    def with_query(self, parameters: Mapping[str, str]) -> "Request":
        """The same request, its query parsed."""
        return msgspec.structs.replace(self, target=self.target._replace(query=parameters))


Endpoint = Callable[[Request], Awaitable[Reply]]


def constant(reply: Reply) -> Endpoint:
    """The endpoint that always gives this reply."""

    async def endpoint(_request: Request) -> Reply:
        return reply

    return endpoint


def request_of(scope: Scope, receive: Receive, clock: Clock) -> Request:
    """The request that ASGI describes, its query not parsed yet."""
    headers = headers_by_name(scope["headers"])
    client = scope.get("client")
    return Request(
        scope["method"],
        Target(scope["path"], scope["query_string"], scope.get("path_params", _NO_PARAMETERS)),
        headers,
        bearer_token(headers.get(b"authorization")),
        client[0] if client else None,
        Body(scope, receive),
        clock.wall_millis(),
        clock.monotonic_seconds(),
    )


def headers_by_name(raw: Sequence[RawHeader]) -> dict[bytes, bytes]:
    """Headers by name, which ASGI has in lower case. If one is sent twice, the first counts; of a list, all count."""
    headers = dict(reversed(raw))
    if len(headers) < len(raw):
        for name in _LISTS:
            if name in headers:
                headers[name] = b",".join(value for other, value in raw if other == name)
    return headers


def bearer_token(authorization: bytes | None) -> str | None:
    """The token of an Authorization header (RFC 6750). None without the header, or with another scheme."""
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(b" ")
    return token.strip().decode("ascii", "replace") or None if scheme.lower() == b"bearer" else None
