"""The ASGI app of a process whose paths take GET and HEAD, and few of them POST: the console, and the worker's probes.

The ingress has a pipeline of its own (ingress/http/pipeline.py). A path matches exactly: there are no redirects from
one spelling to another (B2). The last part of a route's path may be a parameter: `/v1/players/{player}`. Every reply
has X-Request-Id, and no-store unless it says otherwise; an exception is 500, without its traceback (B5).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from schemas.errors.table import Refusal
from serving.clock import Clock
from serving.failures import report
from serving.headers import RawHeader
from serving.http.cors import Cors, Shared, preflight_headers
from serving.http.replies import NO_CONTENT_CODE, refusal_reply, sent_headers
from serving.http.reply import Reply
from serving.http.request import Endpoint, Request, request_of
from serving.http.request_ids import RequestIds
from serving.http.unparsed import announces_body, unparsed_of
from serving.http.whole import Receive, Scope, Send, send_last
from serving.refused import Refused

_METHODS: Final = ("GET", "HEAD")
ALLOW: Final[RawHeader] = (b"allow", ", ".join(_METHODS).encode())
_NO_WRITES: Final[Mapping[str, Endpoint]] = {}


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages in browsers that may read. `paths`: those whose preflight is answered."""

    origins: Collection[str]
    shared: Shared
    paths: Collection[str]


class GetRoutes:
    """`writes`: the endpoints of POST. `answered` counts a reply by path and status.

    `is_draining`: replies then close their connection.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        clock: Clock,
        pages: Pages | None = None,
        answered: Callable[[str, int], None] = lambda _path, _status: None,
        is_draining: Callable[[], bool] = lambda: False,
        writes: Mapping[str, Endpoint] = _NO_WRITES,
    ) -> None:
        self._endpoints = endpoints
        self._by_folder = {path.rpartition("/")[0]: path for path in endpoints if path.endswith("}")}
        self._writes = writes
        self._clock = clock
        self._pages = pages if pages and pages.origins else None
        self._cors = Cors(pages.origins, pages.shared) if pages and pages.origins else None
        self._answered = answered
        self._is_draining = is_draining
        self._request_ids = RequestIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope, receive, self._clock)
        unparsed = unparsed_of(scope)
        route, request = self._routed(request)
        reply = refusal_reply(unparsed, spaced=True) if unparsed else await self._reply(route, request)
        self._answered(route, reply.status)
        unread = unparsed is not None or _leaves_a_body(request)
        headers = sent_headers(
            reply,
            self._request_ids.of(request.headers),
            self._cors.headers(request.headers) if self._cors else (),
            closes=unread or self._is_draining(),
        )
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if unread:
            await send_last(reply.body, receive, send)
        else:
            await send({"type": "http.response.body", "body": reply.body})

    def _routed(self, request: Request) -> tuple[str, Request]:
        """The path of the route, or else of the request, and the request with the route's parameter."""
        path = request.target.path
        folder, _, value = path.rpartition("/")
        route = self._by_folder.get(folder)
        if path in self._endpoints or path in self._writes or route is None or not value:
            return path, request
        parameters = {route.rpartition("{")[2].removesuffix("}"): value}
        return route, msgspec.structs.replace(request, target=request.target._replace(path_parameters=parameters))

    async def _reply(self, route: str, request: Request) -> Reply:
        if request.method == "OPTIONS" and (preflight := self._preflight(route, request)):
            return preflight
        endpoint = self._writes.get(route) if request.method == "POST" else self._endpoints.get(route)
        if route not in self._endpoints and route not in self._writes:
            return refusal_reply(Refusal.NOT_FOUND, spaced=True)
        if endpoint is None or request.method not in (*_METHODS, "POST"):
            return refusal_reply(Refusal.METHOD, spaced=True).having(self._allow(route))
        try:
            return await endpoint(request)
        except Refused as refused:
            return refusal_reply(refused.refusal, refused.violations, spaced=True).having(*refused.headers)
        except Exception as error:  # noqa: BLE001 whatever it is, the client gets an answer
            report(error, path=request.target.path)
            return refusal_reply(Refusal.INTERNAL, spaced=True)

    def _allow(self, path: str) -> RawHeader:
        if path not in self._writes:
            return ALLOW
        return (b"allow", ", ".join([*(_METHODS if path in self._endpoints else ()), "POST"]).encode())

    def _preflight(self, route: str, request: Request) -> Reply | None:
        if self._cors is None or self._pages is None or route not in self._pages.paths:
            return None
        if not self._cors.is_preflight(request.headers):
            return None
        return Reply(NO_CONTENT_CODE, b"", preflight_headers(_METHODS, self._pages.shared))


def _leaves_a_body(request: Request) -> bool:
    """Whether a body was sent that nobody has read to its end."""
    return announces_body(request.headers) and not request.read.is_whole
