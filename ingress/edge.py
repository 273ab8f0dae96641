"""What holds for every request: a reply of ours, X-Request-Id, no-store, a count; 405, and 500 without a trace (B5).

Endpoints return a Reply or raise Refused; this is the one place that speaks ASGI back.
"""

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any, Protocol

import structlog

from ingress.answers import CLOSE, RawHeader, Refusal, Refused, Reply, refusal_reply
from ingress.body import ClientLeft, Receive, discard_rest
from ingress.metrics import Metrics

log = structlog.get_logger()

Scope = Mapping[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Endpoint = Callable[[Scope, Receive], Awaitable[Reply]]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]

# A client's own request id is echoed if it can neither break a log line nor fill it.
_is_request_id = re.compile(rb"[A-Za-z0-9._-]{1,64}\Z").match
NO_STORE = (b"cache-control", b"no-store")
CLIENT_LEFT_CODE = 499


class Stopping(Protocol):
    @property
    def draining(self) -> bool: ...


class Edge:
    """Turns endpoints into ASGI apps."""

    def __init__(self, metrics: Metrics, stopping: Stopping) -> None:
        self._metrics = metrics
        self._stopping = stopping
        # Unique among processes by the prefix, in this one by the number; a uuid costs ten times as much.
        self._prefix = secrets.token_hex(6)
        self._numbers = count(1)

    def serving(self, route: str, endpoints: Mapping[str, Endpoint]) -> "Served":
        """The ASGI app of one path: its endpoints by method. Without any, nothing is there (404)."""
        return Served(self, route, endpoints)

    async def serve(self, route: str, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = await self._reply(endpoint, scope, receive)
        except ClientLeft:
            self._metrics.answered(route, CLIENT_LEFT_CODE)
            return
        self._metrics.answered(route, reply.status)
        await send({"type": "http.response.start", "status": reply.status, "headers": self._headers(reply, scope)})
        if CLOSE in reply.headers:
            # The reply is whole to the client already; the connection ends with the last, empty part.
            await send({"type": "http.response.body", "body": reply.body, "more_body": True})
            await discard_rest(receive)
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": reply.body})

    async def _reply(self, endpoint: Endpoint, scope: Scope, receive: Receive) -> Reply:
        try:
            return await endpoint(scope, receive)
        except Refused as refused:
            self._metrics.refused(refused.refusal.name)
            return refusal_reply(refused.refusal, refused.violations)
        except ClientLeft:
            raise
        except Exception:
            log.exception("bug", path=scope["path"])
            self._metrics.refused(Refusal.INTERNAL.name)
            return refusal_reply(Refusal.INTERNAL)

    def _headers(self, reply: Reply, scope: Scope) -> list[RawHeader]:
        headers = [
            *reply.headers,
            (b"content-length", b"%d" % len(reply.body)),
            (b"x-request-id", self._request_id(scope)),
            NO_STORE,
        ]
        if self._stopping.draining and CLOSE not in reply.headers:
            headers.append(CLOSE)
        return headers

    def _request_id(self, scope: Scope) -> bytes:
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _is_request_id(value):
                return bytes(value)
        return b"%b-%x" % (self._prefix.encode(), next(self._numbers))


class Served:
    """One path. A class, not a function: starlette then takes it for an ASGI app and wraps nothing around it."""

    def __init__(self, edge: Edge, route: str, endpoints: Mapping[str, Endpoint]) -> None:
        self._edge = edge
        self._route = route
        self._endpoints = dict(endpoints)
        if "GET" in self._endpoints:
            self._endpoints["HEAD"] = self._endpoints["GET"]
        self._otherwise = _wrong_method(sorted(self._endpoints)) if endpoints else _nothing_here

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(_method(scope), self._otherwise)
        await self._edge.serve(self._route, endpoint, scope, receive, send)


def _method(scope: Scope) -> str:
    """The method; of a POST that overrides it, the one it stands for: real clients send long queries so (G1)."""
    method: str = scope["method"]
    if method == "POST":
        for name, value in scope["headers"]:
            if name == b"x-http-method-override":
                return str(value.decode("latin-1")).upper()
    return method


def _wrong_method(allowed: list[str]) -> Endpoint:
    reply = refusal_reply(Refusal.METHOD).having((b"allow", ", ".join(allowed).encode()))

    async def endpoint(_scope: Scope, _receive: Receive) -> Reply:
        return reply

    return endpoint


async def _nothing_here(_scope: Scope, _receive: Receive) -> Reply:
    return refusal_reply(Refusal.NOT_FOUND)
