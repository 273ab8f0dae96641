"""What holds for every request: X-Request-Id, no-store, a count, and 500 without a trace (B5)."""

import re
import secrets
from typing import Protocol

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.metrics import Metrics

log = structlog.get_logger()

# A client's own request id is echoed if it can neither break a log line nor fill it.
_is_request_id = re.compile(r"[A-Za-z0-9._-]{1,64}\Z").match


class Stopping(Protocol):
    @property
    def draining(self) -> bool: ...


class Edge:
    """The ASGI app around the routes."""

    def __init__(self, routes: ASGIApp, metrics: Metrics, stopping: Stopping) -> None:
        self._routes = routes
        self._metrics = metrics
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.answered(scope["path"], message["status"])
                headers = MutableHeaders(raw=message["headers"])
                headers["x-request-id"] = request_id(scope)
                headers["cache-control"] = "no-store"
                if self._stopping.draining:
                    headers["connection"] = "close"
            await send(message)

        try:
            await self._routes(scope, receive, sending)
        except Exception:
            # Starlette has answered 500 before it raises again.
            log.exception("bug", path=scope["path"])


def request_id(scope: Scope) -> str:
    sent = Headers(scope=scope).get("x-request-id", "")
    return sent if _is_request_id(sent) else secrets.token_hex(8)
