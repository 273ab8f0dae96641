"""What holds for every request: X-Request-Id, no-store, a count, CORS, and 500 without a trace (B5)."""

import re
import secrets
from collections.abc import Collection, Iterable
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.answers import json_reply
from console.metrics import COUNTS, DOCUMENT, EVENTS, Metrics
from schemas.wire.errors import error_body
from serving.failures import report
from serving.http.cors import Cors, Shared, preflight_headers
from serving.http.reply import RawHeader
from serving.http.unparsed import announces_body, unparsed_of

CORS = Shared(allowed=b"authorization, x-request-id", exposed=b"Retry-After, X-Request-Id")

# A client's own request id is echoed if it can neither break a log line nor fill it.
_is_request_id = re.compile(r"[A-Za-z0-9._-]{1,64}\Z").match


class Stopping(Protocol):
    @property
    def draining(self) -> bool: ...


class Edge:
    """The ASGI app around the routes."""

    def __init__(self, routes: ASGIApp, metrics: Metrics, stopping: Stopping, cors_origins: Collection[str]) -> None:
        self._routes = routes
        self._cors = Cors(cors_origins, CORS) if cors_origins else None
        self._metrics = metrics
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.answered(scope["path"], message["status"])
                message["headers"].extend(self._cors_headers(scope))
                headers = MutableHeaders(raw=message["headers"])
                headers["x-request-id"] = request_id(scope)
                headers["cache-control"] = "no-store"
                if self._stopping.draining or unparsed or announces_body(dict(scope["headers"])):
                    headers["connection"] = "close"
            await send(message)

        unparsed = unparsed_of(scope)
        try:
            routes: ASGIApp = preflight if self._is_preflight(scope) else self._routes
            if unparsed:
                routes = json_reply(error_body(unparsed.value), unparsed.value.code)
            await routes(scope, receive, sending)
        except Exception as error:  # noqa: BLE001 whatever it is
            # Starlette has answered 500 before it raises again.
            report(error, path=scope["path"])

    def _cors_headers(self, scope: Scope) -> Iterable[RawHeader]:
        return self._cors.headers(dict(scope["headers"])) if self._cors else ()

    def _is_preflight(self, scope: Scope) -> bool:
        """A browser that asks whether a page may read. Of probes, and of what isn't there, no page needs to."""
        if self._cors is None or scope["method"] != "OPTIONS" or scope["path"] not in (COUNTS, EVENTS, DOCUMENT):
            return False
        return self._cors.is_preflight(dict(scope["headers"]))


async def preflight(_scope: Scope, _receive: Receive, send: Send) -> None:
    headers = list(preflight_headers(("GET", "HEAD"), CORS))
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def request_id(scope: Scope) -> str:
    sent = Headers(scope=scope).get("x-request-id", "")
    return sent if _is_request_id(sent) else secrets.token_hex(8)
