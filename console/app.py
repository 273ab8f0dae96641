"""The routes of the console. Its parts are arguments: tests pass in-memory ones, server.py passes real ones."""

from typing import Final, Protocol

from console import metrics as names
from console.finding import Player, Receipt, RequestId
from console.listing import Apps, DeadLetters, Definitions, Refusals
from console.metrics import COUNTS, DOCUMENT, EVENTS
from console.reading import Counts, Events, Parts
from serving import docs
from serving.clock import SystemClock
from serving.http.cors import Shared
from serving.http.get_routes import GetRoutes, Pages
from serving.http.life import Stopping
from serving.http.probes import Missing, live, metrics, missing_of, ready
from serving.http.request import Endpoint

CORS: Final = Shared(
    allowed=b"authorization, x-request-id",
    exposed=b"Retry-After, X-Request-Id, Tallymill-As-Of, Tallymill-Next-Page-Token",
)


class Reachable(Protocol):
    @property
    def reachable(self) -> bool:
        """Whether MongoDB has answered lately."""
        ...


def create_app(parts: Parts, mongodb: Reachable, stopping: Stopping) -> GetRoutes:
    """The ASGI app."""

    def missing() -> list[Missing]:
        return missing_of(
            {"keys": parts.callers.ready, "mongodb": mongodb.reachable, "draining": not stopping.draining}
        )

    parts.metrics.watch(ready=lambda: not missing(), queries=lambda: parts.gate.inside)
    endpoints: dict[str, Endpoint] = {
        COUNTS: Counts(parts),
        EVENTS: Events(parts),
        names.APPS: Apps(parts),
        names.DEFINITIONS: Definitions(parts),
        names.REFUSALS: Refusals(parts),
        names.DEAD_LETTERS: DeadLetters(parts),
        names.PLAYER: Player(parts),
        names.REQUEST: RequestId(parts),
        names.RECEIPT: Receipt(parts),
        **docs.endpoints("openapi.console.json"),
        "/livez": live(lambda: True, spaced=True),
        "/readyz": ready(missing, spaced=True),
        "/metrics": metrics(parts.metrics.registry),
    }
    # No page in a browser reads the probes.
    pages = Pages(parts.settings.cors_origins, CORS, (*names.QUERIES, DOCUMENT))
    return GetRoutes(endpoints, SystemClock(), pages, parts.metrics.answered, lambda: stopping.draining)
