"""What holds for every request, in this order; endpoints return a Reply or raise Refused, and here ASGI is spoken.

0. what is no request is refused, in the shape of its path's API (B9)
1. a browser's preflight is answered (B5)
2. an address that sends too often: 429 (B1)
3. path and method: 404, 405 (G1)
4. the query, of the URL or of a form that stands for one: 400 (G1, G2)
5. the endpoint; a bug is 500, without a trace of it
6. the reply is written as the query wants it (G2), encoded if asked (B3), with X-Request-Id and no-store (B5); it
   closes the connection where the request's body was not read whole

/livez, /readyz and /metrics have 0, 3, 5 and 6 only: whatever is asked of them, and however often, they answer.
"""

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from itertools import count
from typing import Any, Protocol

from ingress.config import IngressSettings
from ingress.http.address_limit import AddressLimit
from ingress.http.body import (
    HEADERS_KEY,
    ClientLeft,
    Receive,
    discard_rest,
    headers_by_name,
    read_body,
    refuse_announced_size,
    require_form,
)
from ingress.http.encoding import MIN_ENCODED_BYTES, encoded, reply_coding
from ingress.http.metrics import Metrics
from ingress.http.query import KEY, MAX_QUERY_BYTES, PLAIN, BadQuery, parse_query, query_of, written
from ingress.http.replies import CLOSE, UNPARSED, RawHeader, Refusal, Refused, Reply, refusal_reply, retry_after
from schemas.wire.malformed import Violation
from serving.clock import Clock
from serving.failures import report
from serving.http.cors import Cors, Shared, preflight_headers
from serving.http.unparsed import announces_body, unparsed_of

Scope = Mapping[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Endpoint = Callable[[Scope, Receive], Awaitable[Reply]]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]
RefusalWriter = Callable[[Refusal, tuple[Violation, ...]], Reply]

# A client's own request id is echoed if it can neither break a log line nor fill it.
_is_request_id = re.compile(rb"[A-Za-z0-9._-]{1,64}\Z").match
NO_STORE = (b"cache-control", b"no-store")
CORS = Shared(
    allowed=b"authorization, content-type, content-encoding, prefer, x-http-method-override, x-request-id, "
    b"idempotency-key",
    exposed=b"Tallymill-Receipt, Tallymill-Duplicate, Retry-After, X-Request-Id",
)
VARY_ENCODING = (b"vary", b"Accept-Encoding")
CLIENT_LEFT_CODE = 499
NO_CONTENT_CODE = 204


class Stopping(Protocol):
    @property
    def draining(self) -> bool: ...


class Edge:
    """Turns endpoints into ASGI apps."""

    def __init__(self, metrics: Metrics, stopping: Stopping, clock: Clock, settings: IngressSettings) -> None:
        self._metrics = metrics
        self._stopping = stopping
        self._clock = clock
        self._body_timeout_seconds = settings.body_timeout_seconds
        self._cors = Cors(settings.cors_origins, CORS) if settings.cors_origins else None
        self._addresses = _address_limit(settings)
        # Unique among processes by the prefix, in this one by the number; a uuid costs ten times as much.
        self._prefix = secrets.token_hex(6)
        self._numbers = count(1)

    def serving(
        self, route: str, endpoints: Mapping[str, Endpoint], refusal_writer: RefusalWriter = refusal_reply
    ) -> "Served":
        """The ASGI app of one path: its endpoints by method. Without any, nothing is there (404).

        `refusal_writer`: the shape in which the route's API says what is refused, here and in the endpoint.
        """
        return Served(self, route, endpoints, refusal_writer, is_probe=False)

    def probe(self, route: str, endpoint: Endpoint) -> "Served":
        """The ASGI app of a path that supervisors and scrapers read."""
        return Served(self, route, {"GET": endpoint}, refusal_reply, is_probe=True)

    async def serve(self, served: "Served", scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        request = scope[HEADERS_KEY] = headers_by_name(scope["headers"])
        body = _Body(receive)
        try:
            reply = await self._reply(served, scope, request, body)
        except ClientLeft:
            self._metrics.answered(served.route, CLIENT_LEFT_CODE)
            return
        if len(reply.body) >= MIN_ENCODED_BYTES and scope["method"] != "HEAD":
            reply = _encoded(reply, request.get(b"accept-encoding"))
        if not body.is_whole and announces_body(request) and CLOSE not in reply.headers:
            reply = reply.having(CLOSE)
        self._metrics.answered(served.route, reply.status)
        await send({"type": "http.response.start", "status": reply.status, "headers": self._headers(reply, request)})
        if CLOSE in reply.headers:
            # The reply is whole to the client already; the connection ends with the last, empty part.
            await send({"type": "http.response.body", "body": reply.body, "more_body": True})
            await discard_rest(receive)
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": reply.body})

    async def _reply(
        self, served: "Served", scope: MutableMapping[str, Any], request: dict[bytes, bytes], receive: Receive
    ) -> Reply:
        try:
            if unparsed := unparsed_of(scope):
                raise Refused(UNPARSED[unparsed])  # noqa: TRY301 refused like all else
            reply = self._turned_away(served, scope, request)
            if reply is None:
                reply = await self._asked(served, scope, request, receive)
        except Refused as refused:
            self._metrics.refused(refused.refusal.name)
            reply = served.refusal(refused.refusal, refused.violations).having(*refused.headers)
        except ClientLeft:
            raise
        except Exception as error:  # noqa: BLE001 whatever it is, the client gets an answer
            report(error, path=scope["path"])
            self._metrics.refused(Refusal.INTERNAL.name)
            reply = served.refusal(Refusal.INTERNAL, ())
        query = query_of(scope)
        return reply if query is PLAIN else written(reply, query)

    def _turned_away(self, served: "Served", scope: Scope, request: Mapping[bytes, bytes]) -> Reply | None:
        """What is answered before anything is looked at."""
        if served.is_probe:
            return None
        if self._cors is not None and scope["method"] == "OPTIONS" and self._cors.is_preflight(request):
            return served.preflight
        if self._addresses is None:
            return None
        wait_seconds = self._addresses.wait_seconds(
            scope, request.get(b"x-forwarded-for"), self._clock.monotonic_seconds()
        )
        if not wait_seconds:
            return None
        self._metrics.refused(Refusal.ADDRESS_RATE_HIGH.name)
        return served.refusal(Refusal.ADDRESS_RATE_HIGH, ()).having(retry_after(wait_seconds))

    async def _asked(
        self, served: "Served", scope: MutableMapping[str, Any], request: dict[bytes, bytes], receive: Receive
    ) -> Reply:
        method = _method(scope["method"], request)
        endpoint = served.endpoints.get(method)
        if endpoint is None:
            return served.otherwise
        if not served.is_probe:
            texts = [scope["query_string"]]
            if method != scope["method"]:
                texts.append(await self._form(request, receive))
            try:
                query = parse_query(*texts)
            except BadQuery as error:
                raise Refused(Refusal.MALFORMED, (error.violation,)) from error
            if query is not PLAIN:
                scope[KEY] = query
        return await endpoint(scope, receive)

    async def _form(self, request: dict[bytes, bytes], receive: Receive) -> bytes:
        """The body that stands for a query; its sender isn't known yet, so it is short and in time."""
        if request.get(b"content-length") == b"0":
            return b""
        refuse_announced_size(request, MAX_QUERY_BYTES)
        return await read_body(receive, require_form(request), MAX_QUERY_BYTES, self._body_timeout_seconds)

    def _headers(self, reply: Reply, request: Mapping[bytes, bytes]) -> list[RawHeader]:
        headers = [*reply.headers, (b"x-request-id", self._request_id(request)), NO_STORE]
        if reply.status != NO_CONTENT_CODE:
            headers.append((b"content-length", b"%d" % len(reply.body)))
        if self._cors is not None:
            headers.extend(self._cors.headers(request))
        if self._stopping.draining and CLOSE not in reply.headers:
            headers.append(CLOSE)
        return headers

    def _request_id(self, request: Mapping[bytes, bytes]) -> bytes:
        given = request.get(b"x-request-id")
        if given is not None and _is_request_id(given):
            return given
        return b"%b-%x" % (self._prefix.encode(), next(self._numbers))


class _Body:
    """A request's body as it is received; knows whether all of it has been."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_whole = False

    async def __call__(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        if not message.get("more_body", False):
            self.is_whole = True
        return message


class Served:
    """One path. A class, not a function: starlette then takes it for an ASGI app and wraps nothing around it."""

    def __init__(
        self,
        edge: Edge,
        route: str,
        endpoints: Mapping[str, Endpoint],
        refusal_writer: RefusalWriter,
        *,
        is_probe: bool,
    ) -> None:
        self._edge = edge
        self.refusal = refusal_writer
        self.route = route
        self.is_probe = is_probe
        self.endpoints = dict(endpoints)
        if "GET" in self.endpoints:
            self.endpoints["HEAD"] = self.endpoints["GET"]
        methods = sorted(self.endpoints)
        self.otherwise = refusal_writer(Refusal.NOT_FOUND, ())
        self.preflight: Reply | None = None
        if methods:
            self.otherwise = refusal_writer(Refusal.METHOD, ()).having((b"allow", ", ".join(methods).encode()))
            self.preflight = Reply(NO_CONTENT_CODE, b"", preflight_headers(methods, CORS))

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        await self._edge.serve(self, scope, receive, send)


def _address_limit(settings: IngressSettings) -> AddressLimit | None:
    if settings.max_requests_per_address is None:
        return None
    return AddressLimit(settings.max_requests_per_address, settings.address_window_seconds, settings.trusted_proxies)


def _method(method: str, request: Mapping[bytes, bytes]) -> str:
    """The method; of a POST that overrides it, the one it stands for: GET or POST. Others no path takes (G1)."""
    override = request.get(b"x-http-method-override")
    if override is None or method != "POST":
        return method
    meant = override.decode("latin-1").strip().upper()
    return meant if meant in ("GET", "POST") else "overridden"


def _encoded(reply: Reply, accept_encoding: bytes | None) -> Reply:
    """The reply in the coding that is liked best, if any."""
    if any(name == b"content-encoding" for name, _ in reply.headers):
        return reply
    coding = reply_coding(accept_encoding) if accept_encoding else None
    if coding is None:
        return reply.having(VARY_ENCODING)
    headers = (*reply.headers, VARY_ENCODING, (b"content-encoding", coding.encode()))
    return Reply(reply.status, encoded(reply.body, coding), headers)
