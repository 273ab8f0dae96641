"""The routes of the console. Its parts are arguments: tests pass in-memory ones, server.py passes real ones."""

from importlib.resources import files
from typing import Final, Protocol

from console.access.files import page_files
from console.metrics import COUNTS, DOCUMENT, EVENTS, SYSTEM
from console.reading import Counts, Events, Parts
from console.system import Observed, System
from serving.clock import SystemClock
from serving.http.cors import Shared
from serving.http.get_routes import GetRoutes, Pages
from serving.http.life import Stopping
from serving.http.probes import Missing, live, metrics, missing_of, ready
from serving.http.reply import Reply
from serving.http.request import Endpoint, constant

CORS: Final = Shared(
    allowed=b"authorization, if-none-match, x-request-id",
    exposed=b"ETag, Retry-After, X-Request-Id, Tallymill-As-Of, Tallymill-Next-Page-Token",
)


class Reachable(Protocol):
    @property
    def reachable(self) -> bool:
        """Whether MongoDB has answered lately."""
        ...


def create_app(parts: Parts, mongodb: Reachable, stopping: Stopping, observer: Observed) -> GetRoutes:
    """The ASGI app."""

    def missing() -> list[Missing]:
        return missing_of(
            {"keys": parts.callers.ready, "mongodb": mongodb.reachable, "draining": not stopping.draining}
        )

    parts.metrics.observe(lambda: observer.snapshot)
    parts.metrics.watch(ready=lambda: not missing(), queries=lambda: parts.gate.inside)
    endpoints: dict[str, Endpoint] = {
        **page_files(),
        COUNTS: Counts(parts),
        EVENTS: Events(parts),
        SYSTEM: System(parts, observer),
        DOCUMENT: constant(Reply(200, (files("schemas") / "json" / "openapi.console.json").read_bytes())),
        "/livez": live(lambda: True, spaced=True),
        "/readyz": ready(missing, spaced=True),
        "/metrics": metrics(parts.metrics.registry),
    }
    # No page in a browser reads the probes.
    pages = Pages(parts.settings.cors_origins, CORS, (COUNTS, EVENTS, SYSTEM, DOCUMENT))
    return GetRoutes(endpoints, SystemClock(), pages, parts.metrics.answered, lambda: stopping.draining)
