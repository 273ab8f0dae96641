"""One HTTP request, read once from ASGI's scope. An endpoint takes a Request and returns a Reply."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from serving.clock import Clock
from serving.headers import RawHeader
from serving.http.reply import Reply

# ASGI's types. A scope belongs to the server and the router: nothing of this project is stored in it.
Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]

# Headers that are lists: sent twice, they are one list (RFC 9110, section 5.3).
_LISTS: Final = (b"accept-encoding", b"content-encoding", b"x-forwarded-for")
_NO_PARAMETERS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Request:
    """`wall_millis` and `monotonic_seconds` say when it arrived, by both clocks."""

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    """By lower-case name."""
    query_string: bytes
    """The query as it was sent, without the `?`."""
    query: Mapping[str, str]
    """The query parameters. Empty until the pipeline, whose API says what a wrong one is, has parsed them."""
    path_parameters: Mapping[str, str]
    """What the route's `{name}` stands for."""
    bearer: str | None
    """The token of the Authorization header."""
    address: str | None
    """The IP address at the other end of the connection, perhaps a proxy's. None without a TCP connection."""
    read: Receive
    """Reads the body: ASGI's receive."""
    wall_millis: int
    monotonic_seconds: float


Endpoint = Callable[[Request], Awaitable[Reply]]


def request_of(scope: Scope, receive: Receive, clock: Clock) -> Request:
    """The request that ASGI describes, its query not parsed yet."""
    headers = headers_by_name(scope["headers"])
    client = scope.get("client")
    return Request(
        scope["method"],
        scope["path"],
        headers,
        scope["query_string"],
        _NO_PARAMETERS,
        scope.get("path_params", _NO_PARAMETERS),
        bearer_token(headers.get(b"authorization")),
        client[0] if client else None,
        receive,
        clock.wall_millis(),
        clock.monotonic_seconds(),
    )


def headers_by_name(raw: Sequence[RawHeader]) -> dict[bytes, bytes]:
    """Headers by name, in lower case as ASGI has them. Of one sent twice, the first; of a list, all."""
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
    return token.strip().decode("ascii", errors="replace") or None if scheme.lower() == b"bearer" else None
