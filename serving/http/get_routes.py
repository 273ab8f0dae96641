"""The ASGI app of a process whose paths take only GET and HEAD: the console, and the worker's probes.

The ingress, which also reads bodies, has a pipeline of its own (ingress/http/pipeline.py). A path matches exactly:
there are no redirects (B2). The last part of a route's path may be a parameter: `/v1/players/{player}`. Every reply
has X-Request-Id and no-store; an exception is 500, without its traceback (B5).
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
from serving.http.request import Endpoint, Request, Send, request_of
from serving.http.request_ids import RequestIds
from serving.http.unparsed import announces_body, unparsed_of
from serving.http.whole import Receive, Scope
from serving.refused import Refused

_METHODS: Final = ("GET", "HEAD")
ALLOW: Final[RawHeader] = (b"allow", ", ".join(_METHODS).encode())


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages in browsers that may read. `paths`: those whose preflight is answered."""

    origins: Collection[str]
    shared: Shared
    paths: Collection[str]


class GetRoutes:
    """`answered` counts a reply by path and status. `is_draining`: replies then close their connection."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        clock: Clock,
        pages: Pages | None = None,
        answered: Callable[[str, int], None] = lambda _path, _status: None,
        is_draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._endpoints = endpoints
        self._by_folder = {path.rpartition("/")[0]: path for path in endpoints if path.endswith("}")}
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
        headers = sent_headers(
            reply,
            self._request_ids.of(request.headers),
            self._cors.headers(request.headers) if self._cors else (),
            closes=unparsed is not None or self._is_draining() or announces_body(request.headers),
        )
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    def _routed(self, request: Request) -> tuple[str, Request]:
        """The path of the route, or else of the request, and the request with the route's parameter."""
        path = request.target.path
        folder, _, value = path.rpartition("/")
        route = self._by_folder.get(folder)
        if path in self._endpoints or route is None or not value:
            return path, request
        parameters = {route.rpartition("{")[2].removesuffix("}"): value}
        return route, msgspec.structs.replace(request, target=request.target._replace(path_parameters=parameters))

    async def _reply(self, route: str, request: Request) -> Reply:
        if request.method == "OPTIONS" and (preflight := self._preflight(route, request)):
            return preflight
        endpoint = self._endpoints.get(route)
        if endpoint is None:
            return refusal_reply(Refusal.NOT_FOUND, spaced=True)
        if request.method not in _METHODS:
            return refusal_reply(Refusal.METHOD, spaced=True).having(ALLOW)
        try:
            return await endpoint(request)
        except Refused as refused:
            return refusal_reply(refused.refusal, refused.violations, spaced=True).having(*refused.headers)
        except Exception as error:  # noqa: BLE001 whatever it is, the client gets an answer
            report(error, path=request.target.path)
            return refusal_reply(Refusal.INTERNAL, spaced=True)

    def _preflight(self, route: str, request: Request) -> Reply | None:
        if self._cors is None or self._pages is None or route not in self._pages.paths:
            return None
        if not self._cors.is_preflight(request.headers):
            return None
        return Reply(NO_CONTENT_CODE, b"", preflight_headers(_METHODS, self._pages.shared))
