"""What holds for every request, in this order. Endpoints take a Request, and return a Reply or raise Refused.

0. bytes that are no HTTP request are refused, in the shape of their path's API (B9)
1. a browser's preflight is answered (B5)
2. an address that sends too often: 429 (B1)
3. path and method: 404, 405 (G1)
4. the query, of the URL or of a form that stands for one: 400 (G1, G2)
5. the endpoint; an exception is 500, without its traceback
6. the reply is written as the query asks (G2), encoded if asked (B3), with X-Request-Id and no-store (B5). It closes
   the connection if the request's body was not read to its end

/livez, /readyz and /metrics have steps 0, 3, 5 and 6 only: they answer any query, as often as it is sent.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from ingress.config import IngressSettings
from ingress.http.address_limit import AddressLimit
from ingress.http.body import ClientLeft, read_body, refuse_announced_size, require_form
from ingress.http.encoding import MIN_ENCODED_BYTES, encoded, reply_coding
from ingress.http.metrics import Metrics
from ingress.http.query import PLAIN, Query, parse_query, written
from ingress.http.refused_causes import RouteApi
from schemas.errors.table import Refusal
from schemas.wire.malformed import Violation
from serving.clock import Clock
from serving.failures import report
from serving.headers import RawHeader
from serving.http.cors import Cors, Shared, preflight_headers
from serving.http.life import Stopping
from serving.http.query import MAX_QUERY_BYTES, BadQuery
from serving.http.replies import NO_CONTENT_CODE, refusal_reply, retry_after, sent_headers
from serving.http.reply import CLOSE, Reply
from serving.http.request import Endpoint, Request, request_of
from serving.http.request_ids import RequestIds
from serving.http.unparsed import announces_body, unparsed_of
from serving.http.whole import Receive, Scope, Send, send_last
from serving.refused import Refused

RefusalWriter = Callable[[Refusal, tuple[Violation, ...]], Reply]

CORS = Shared(
    allowed=b"authorization, content-type, content-encoding, prefer, x-http-method-override, x-request-id, "
    b"idempotency-key",
    exposed=b"Tallymill-Receipt, Tallymill-Duplicate, Retry-After, X-Request-Id",
)
VARY_ENCODING = (b"vary", b"Accept-Encoding")
CLIENT_LEFT_CODE = 499


class Pipeline:
    """Turns endpoints into ASGI apps."""

    def __init__(self, metrics: Metrics, stopping: Stopping, clock: Clock, settings: IngressSettings) -> None:
        self._metrics = metrics
        self._stopping = stopping
        self._clock = clock
        self._body_timeout_seconds = settings.body_timeout_seconds
        self._cors = Cors(settings.cors_origins, CORS) if settings.cors_origins else None
        self._addresses: AddressLimit | None = None
        if settings.max_requests_per_address is not None:
            self._addresses = AddressLimit(
                settings.max_requests_per_address, settings.address_window_seconds, settings.trusted_proxies
            )
        self._request_ids = RequestIds()

    def serving(
        self,
        route: str,
        endpoints: Mapping[str, Endpoint],
        refusal_writer: RefusalWriter = refusal_reply,
        api: RouteApi = "other",
    ) -> "Served":
        """The ASGI app of one path: its endpoints by method. Without any, the path does not exist (404).

        `refusal_writer`: how the route's API writes a refusal, of the pipeline and of the endpoint.
        """
        return Served(self, ServedRoute(route, api), endpoints, refusal_writer)

    def probe(self, route: str, endpoint: Endpoint) -> "Served":
        """The ASGI app of a path that supervisors and scrapers read."""
        return Served(self, ServedRoute(route, "other", is_probe=True), {"GET": endpoint}, refusal_reply)

    async def serve(self, served: "Served", scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = request_of(scope, receive, self._clock)
        try:
            reply = await self._reply(served, request, unparsed_of(scope))
        except ClientLeft:
            self._answered(served, CLIENT_LEFT_CODE, request)
            return
        if len(reply.body) >= MIN_ENCODED_BYTES and request.method != "HEAD":
            reply = _encoded(reply, request.headers.get(b"accept-encoding"))
        if not request.read.is_whole and announces_body(request.headers) and CLOSE not in reply.headers:
            reply = reply.having(CLOSE)
        self._answered(served, reply.status, request)
        headers = self._headers(reply, request.headers)
        messages = request.read.messages
        is_plain = CLOSE not in headers and request.method != "HEAD"
        if messages and is_plain and messages.answer(scope, reply.status, headers, reply.body):
            return
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if CLOSE in reply.headers:
            await send_last(reply.body, receive, send)
        else:
            await send({"type": "http.response.body", "body": reply.body})

    def _answered(self, served: "Served", code: int, request: Request) -> None:
        self._metrics.answered(served.route, code, self._clock.monotonic_seconds() - request.monotonic_seconds)

    async def _reply(self, served: "Served", request: Request, unparsed: Refusal | None) -> Reply:
        query = PLAIN
        try:
            if unparsed:
                raise Refused(unparsed)  # noqa: TRY301 refused like all else
            if not served.is_probe and (early := self._before_routing(served, request)):
                return early
            method = _method(request)
            endpoint = served.endpoints.get(method)
            if endpoint is None:
                self._metrics.refused(served.api, served.refusal_otherwise.name)
                return served.otherwise
            is_form = method != request.method
            if not served.is_probe and (is_form or request.target.query_string):
                query = await self._query(request, is_form=is_form)
                if query.parameters:
                    request = request.with_query(query.parameters)
            reply = await endpoint(request)
        except Refused as refused:
            self._metrics.refused(served.api, refused.refusal.name)
            reply = served.refusal(refused.refusal, refused.violations).having(*refused.headers)
        except ClientLeft:
            raise
        except Exception as error:  # noqa: BLE001 whatever it is, the client gets an answer
            report(error, path=request.target.path)
            self._metrics.refused(served.api, Refusal.INTERNAL.name)
            reply = served.refusal(Refusal.INTERNAL, ())
        return reply if query is PLAIN else written(reply, query)

    def _before_routing(self, served: "Served", request: Request) -> Reply | None:
        """Answers a preflight, and an address that sends too often."""
        if self._cors is not None and request.method == "OPTIONS" and self._cors.is_preflight(request.headers):
            return served.preflight
        if self._addresses is None:
            return None
        wait_seconds = self._addresses.wait_seconds(request)
        if not wait_seconds:
            return None
        self._metrics.refused(served.api, Refusal.ADDRESS_RATE_HIGH.name)
        return served.refusal(Refusal.ADDRESS_RATE_HIGH, ()).having(retry_after(wait_seconds))

    async def _query(self, request: Request, *, is_form: bool) -> Query:
        """Raises Refused. `is_form`: the body is a form that continues the query; its sender is not known yet."""
        texts = [request.target.query_string]
        if is_form and request.headers.get(b"content-length") != b"0":
            refuse_announced_size(request.headers, MAX_QUERY_BYTES)
            coding = require_form(request.headers)
            texts.append(await read_body(request.read, coding, MAX_QUERY_BYTES, self._body_timeout_seconds))
        try:
            return parse_query(*texts)
        except BadQuery as error:
            raise Refused(Refusal.MALFORMED, error.violations) from error

    def _headers(self, reply: Reply, sent: Mapping[bytes, bytes]) -> list[RawHeader]:
        cors = self._cors.headers(sent) if self._cors is not None else ()
        return sent_headers(reply, self._request_ids.of(sent), cors, closes=self._stopping.draining)


class ServedRoute(NamedTuple):
    """What the metrics call it and its API, and whether supervisors and scrapers read it."""

    name: str
    api: RouteApi
    is_probe: bool = False


class Served:
    """One path. A class, not a function: starlette then takes it for an ASGI app and wraps nothing around it."""

    def __init__(
        self,
        pipeline: Pipeline,
        route: ServedRoute,
        endpoints: Mapping[str, Endpoint],
        refusal_writer: RefusalWriter,
    ) -> None:
        self._pipeline = pipeline
        self.refusal = refusal_writer
        self.route, self.api, self.is_probe = route
        self.endpoints = dict(endpoints)
        if "GET" in self.endpoints:
            self.endpoints["HEAD"] = self.endpoints["GET"]
        methods = sorted(self.endpoints)
        self.refusal_otherwise = Refusal.METHOD if methods else Refusal.NOT_FOUND
        self.otherwise = refusal_writer(self.refusal_otherwise, ())
        self.preflight: Reply | None = None
        if methods:
            self.otherwise = self.otherwise.having((b"allow", ", ".join(methods).encode()))
            self.preflight = Reply(NO_CONTENT_CODE, b"", preflight_headers(methods, CORS))

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._pipeline.serve(self, scope, receive, send)


def _method(request: Request) -> str:
    """The method that is meant. A POST may override it by GET or POST; any other override matches no endpoint (G1)."""
    override = request.headers.get(b"x-http-method-override")
    if override is None or request.method != "POST":
        return request.method
    meant = override.decode("latin-1").strip().upper()
    return meant if meant in ("GET", "POST") else "overridden"


def _encoded(reply: Reply, accept_encoding: bytes | None) -> Reply:
    """The reply in the supported encoding with the highest q-value, if any."""
    if any(name == b"content-encoding" for name, _ in reply.headers):
        return reply
    coding = reply_coding(accept_encoding) if accept_encoding else None
    if coding is None:
        return reply.having(VARY_ENCODING)
    headers = (*reply.headers, VARY_ENCODING, (b"content-encoding", coding.encode()))
    return Reply(reply.status, encoded(reply.body, coding), headers)
