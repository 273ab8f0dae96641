"""The routes of the console. Its parts are arguments: tests pass in-memory ones, server.py passes real ones."""

from dataclasses import dataclass
from typing import Final, Protocol

from console import metrics as names
from console.access.files import page_files
from console.access.sign_in import Routes
from console.lookups.finding import Player, Receipt, RequestId
from console.lookups.listing import Apps, DeadLetters, Definitions, Refusals
from console.metrics import COUNTS, DOCUMENT, EVENTS, REDRIVE, SYSTEM
from console.reading import Counts, Events, Parts
from console.redrive import Redrive, Redriver
from console.system import Observed, System
from serving.clock import SystemClock
from serving.docs_page import page
from serving.http.cors import Shared
from serving.http.get_routes import GetRoutes, Pages
from serving.http.life import Stopping
from serving.http.probes import Missing, live, metrics, missing_of, ready
from serving.http.request import Endpoint

CORS: Final = Shared(
    allowed=b"authorization, if-none-match, x-request-id",
    exposed=b"ETag, Retry-After, X-Request-Id, Tallymill-As-Of, Tallymill-Next-Page-Token",
)


class Reachable(Protocol):
    @property
    def reachable(self) -> bool:
        """Whether MongoDB has answered lately."""
        ...


@dataclass(frozen=True, slots=True)
class Sides:
    """What the app serves beside the queries. `access`: the routes of signing in and out."""

    observer: Observed
    access: Routes
    redriver: Redriver


def create_app(parts: Parts, mongodb: Reachable, stopping: Stopping, sides: Sides) -> GetRoutes:
    """The ASGI app."""

    def missing() -> list[Missing]:
        return missing_of(
            {"keys": parts.callers.ready, "mongodb": mongodb.reachable, "draining": not stopping.draining}
        )

    parts.metrics.observe(lambda: sides.observer.snapshot)
    parts.metrics.watch(ready=lambda: not missing(), queries=lambda: parts.gate.inside)
    endpoints: dict[str, Endpoint] = {
        **page_files(),
        **sides.access.reads,
        COUNTS: Counts(parts),
        EVENTS: Events(parts),
        names.APPS: Apps(parts),
        names.DEFINITIONS: Definitions(parts),
        names.REFUSALS: Refusals(parts),
        names.DEAD_LETTERS: DeadLetters(parts),
        names.PLAYER: Player(parts),
        names.REQUEST: RequestId(parts),
        names.RECEIPT: Receipt(parts),
        SYSTEM: System(parts, sides.observer),
        **page.endpoints("openapi.console.json"),
        "/livez": live(lambda: True, spaced=True),
        "/readyz": ready(missing, spaced=True),
        "/metrics": metrics(parts.metrics.registry),
    }
    # No page in a browser reads the probes.
    pages = Pages(parts.settings.cors_origins, CORS, (*names.QUERIES, SYSTEM, DOCUMENT))
    writes: dict[str, Endpoint] = {**sides.access.writes, REDRIVE: Redrive(parts, sides.redriver)}
    return GetRoutes(endpoints, SystemClock(), pages, parts.metrics.answered, lambda: stopping.draining, writes)
