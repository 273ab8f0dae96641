"""The routes of the console. Its parts are arguments: a test gives in-memory ones, the process gives real ones."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.answers import Refusal, Refused, json_reply, refusal_reply
from console.metrics import COUNTS, DOCUMENT, EVENTS
from console.pipeline import Edge, Stopping
from console.queries.parameters import BadQuery
from console.reading import Counts, Events, Parts


class Reachable(Protocol):
    @property
    def reachable(self) -> bool:
        """Whether MongoDB has answered lately."""
        ...


def create_app(parts: Parts, mongodb: Reachable, stopping: Stopping) -> Edge:
    """The ASGI app."""

    def missing() -> list[str]:
        there = {
            "keys": parts.authenticator.ready,
            "mongodb": mongodb.reachable,
            "draining": not stopping.draining,
        }
        return [name for name, ready in there.items() if not ready]

    text = (files("schemas") / "json" / "openapi.console.json").read_bytes()

    async def document(_request: Request) -> Response:
        """The committed file, byte for byte."""
        return Response(text, media_type="application/json; charset=utf-8")

    async def livez(_request: Request) -> Response:
        return json_reply({"live": True})

    async def readyz(_request: Request) -> Response:
        return json_reply({"ready": not missing(), "missing": missing()}, 503 if missing() else 200)

    async def metrics(_request: Request) -> Response:
        return Response(parts.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    parts.metrics.watch(ready=lambda: not missing(), queries=lambda: parts.gate.inside)
    routes: dict[str, Callable[[Request], Awaitable[Response]]] = {
        COUNTS: Counts(parts).reply,
        EVENTS: Events(parts).reply,
        DOCUMENT: document,
        "/livez": livez,
        "/readyz": readyz,
        "/metrics": metrics,
    }
    app = Starlette(
        routes=[Route(path, endpoint, methods=["GET"]) for path, endpoint in routes.items()],
        exception_handlers={Refused: _refused, BadQuery: _bad_query, HTTPException: _http, Exception: _bug},
    )
    app.router.redirect_slashes = False  # never a redirect (B2)
    return Edge(app, parts.metrics, stopping, parts.settings.cors_origins)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 as it is registered
    return refusal_reply(error.refusal, error.violations)


async def _bad_query(_request: Request, error: Exception) -> Response:
    assert isinstance(error, BadQuery)  # noqa: S101 as it is registered
    return refusal_reply(Refusal.BAD_QUERY, error.violations)


async def _http(_request: Request, error: Exception) -> Response:
    """What starlette itself refuses: a path or a method that isn't there."""
    assert isinstance(error, HTTPException)  # noqa: S101 as it is registered
    not_allowed = error.status_code == 405  # noqa: PLR2004 HTTP's number
    return refusal_reply(Refusal.METHOD if not_allowed else Refusal.NOT_FOUND, headers=error.headers)


async def _bug(_request: Request, _error: Exception) -> Response:
    return refusal_reply(Refusal.INTERNAL)
