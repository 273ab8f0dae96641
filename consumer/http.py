"""What a worker tells over HTTP: /metrics (Prometheus), /livez, /readyz; within the bounds of every server (B9)."""

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from consumer.health import Missing
from consumer.metrics import WorkerMetrics
from schemas.errors.table import Refusal
from schemas.wire.errors import error_body
from serving.http import life
from serving.http.protocol import server_config
from serving.http.unparsed import announces_body, unparsed_of

# Supervisors and scrapers: a handful.
MAX_CONNECTIONS: Final = 100
KEEP_ALIVE_SECONDS: Final = 75
STOP_TIMEOUT_SECONDS: Final = 1

_JSON: Final = "application/json; charset=utf-8"


class _Reply(NamedTuple):
    status: int
    body: bytes
    content_type: str = _JSON


Tell = Callable[[], _Reply]


def _refused(refusal: Refusal) -> _Reply:
    return _Reply(refusal.value.code, json.dumps(error_body(refusal.value)).encode())


def _alive(alive: Callable[[], bool]) -> Tell:
    def tell() -> _Reply:
        found = alive()
        return _Reply(200 if found else 503, json.dumps({"alive": found}).encode())

    return tell


def _ready(missing: Callable[[], Sequence[Missing]]) -> Tell:
    """Names what is missing in words for programs, and says why in sentences for people."""

    def tell() -> _Reply:
        found = missing()
        told: dict[str, Any] = {"ready": not found, "missing": [one.what for one in found]}
        if found:
            told["reasons"] = [one.why for one in found]
        return _Reply(503 if found else 200, json.dumps(told).encode())

    return tell


class _App:
    """The ASGI app: a path, what is told there."""

    def __init__(self, paths: Mapping[str, Tell]) -> None:
        self._paths = paths

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401 ASGI's own
        reply = self._reply(scope)
        headers = [
            (b"content-type", reply.content_type.encode()),
            (b"content-length", b"%d" % len(reply.body)),
            (b"cache-control", b"no-store"),
            (b"x-request-id", secrets.token_hex(8).encode()),
        ]
        if unparsed_of(scope) or announces_body(dict(scope["headers"])):
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    def _reply(self, scope: Mapping[str, Any]) -> _Reply:
        if unparsed := unparsed_of(scope):
            return _refused(unparsed)
        tell = self._paths.get(scope["path"])
        if tell is None:
            return _refused(Refusal.NOT_FOUND)
        return tell() if scope["method"] in ("GET", "HEAD") else _refused(Refusal.METHOD)


@dataclass(frozen=True, slots=True)
class Probes:
    """The server, listening."""

    server: life.Server
    serving: asyncio.Task[None]

    async def cleanup(self) -> None:
        """Stop listening."""
        self.server.should_exit = True
        await self.serving


async def serve(
    host: str, port: int, metrics: WorkerMetrics, *, alive: Callable[[], bool], missing: Callable[[], Sequence[Missing]]
) -> Probes:
    """Listen. The caller cleans up. Raises OSError where the port is taken."""
    app = _App(
        {
            "/metrics": lambda: _Reply(200, generate_latest(metrics.registry), CONTENT_TYPE_LATEST),
            "/livez": _alive(alive),
            "/readyz": _ready(missing),
        }
    )
    listener = life.listening(host, port)
    connections = metrics.connections.bounded(MAX_CONNECTIONS, None)
    server = life.Server(server_config(app, connections, KEEP_ALIVE_SECONDS, STOP_TIMEOUT_SECONDS))
    return Probes(server, asyncio.create_task(server.serve(sockets=[listener]), name="probes"))
