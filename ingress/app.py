"""The routes of the ingress. Its parts are arguments: a test passes in-memory ones, server.py passes real ones."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from starlette.routing import Route, Router

from ingress.analytics.record import AddEvents
from ingress.analytics.replies import analytics_refusal
from ingress.auth.sessions import Sessions
from ingress.clock_watch import SOURCES, ClockWatch, Source
from ingress.config import IngressSettings
from ingress.delivery.channel import ApiChannel
from ingress.delivery.receipts import ReceiptState, RequestState
from ingress.dependencies import Dependencies
from ingress.games.definitions import Definitions
from ingress.games.images import DEFAULT_IMAGE_PATH, DefaultImage
from ingress.games.lists import EventDefinitions, PlayerEvents
from ingress.games.record import RecordEvents
from ingress.games.validate import ValidateEvents
from ingress.http.any_case import AnyCaseRoute
from ingress.http.metrics import ChannelGauges, or_nan
from ingress.http.pipeline import Pipeline
from ingress.http.refused_causes import RouteApi
from ingress.limits import LimitsOfApp
from ingress.ports import OutcomeStore, TotalsStore
from ingress.refusals.listing import RefusalsPage
from schemas.errors.row import RETRY_UNAVAILABLE_SECONDS
from serving.docs_page import page
from serving.http.life import Stopping
from serving.http.probes import Missing, live, metrics, missing_of, ready
from serving.http.replies import retry_after
from serving.http.request import Asgi, Endpoint
from serving.http.whole import Receive, Scope, Send


class Checked(Protocol):
    @property
    def passed(self) -> bool:
        """Whether Kafka and MongoDB have been found fit for exactly-once counting."""
        ...


class PlayerStore(TotalsStore, OutcomeStore, Protocol):
    """What players ask of MongoDB: their totals, and what became of their records."""


@dataclass(frozen=True, slots=True)
class AppParts:
    """What the routes are served with. `kept_seconds`: how long exceptions and requests are kept."""

    shared: Dependencies
    games: ApiChannel
    analytics: ApiChannel
    definitions: Definitions
    store: PlayerStore
    kept_seconds: int
    sessions: Sessions
    clocks: ClockWatch

    @property
    def channels(self) -> tuple[ApiChannel, ApiChannel]:
        return self.games, self.analytics


def create_app(parts: AppParts, stopping: Stopping, checked: Checked, settings: IngressSettings) -> Asgi:
    """The ASGI app."""
    shared, games, definitions, store = parts.shared, parts.games, parts.definitions, parts.store
    pipeline = Pipeline(shared.metrics, stopping, shared.clock, settings)
    missing = missing_parts(parts, stopping, checked)
    _watch(parts, missing, settings)
    endpoints: dict[str, dict[str, Endpoint]] = {
        "/games/v1/events": {
            "POST": RecordEvents(shared, games, definitions),
            "GET": PlayerEvents(shared, definitions, store),
        },
        "/games/v1/eventDefinitions": {"GET": EventDefinitions(shared, definitions, store, settings.public_url)},
        DEFAULT_IMAGE_PATH: {"GET": DefaultImage()},
        "/v1/receipts/{receipt}": {"GET": ReceiptState(shared, store, parts.kept_seconds)},
        "/v1/requests/{request_id}": {"GET": RequestState(shared, store)},
        "/v1/sessions": {"POST": parts.sessions},
        "/v1/limits": {"GET": LimitsOfApp(shared.limits)},
        "/v1/validate": {"POST": ValidateEvents(shared, games, definitions)},
        "/v1/refusals": {"GET": RefusalsPage(shared.authenticator, shared.refusals.store)},
        **{path: {"GET": endpoint} for path, endpoint in page.endpoints("openapi.json").items()},
    }
    probes: dict[str, Endpoint] = {
        "/livez": live(lambda: True),
        "/readyz": ready(missing, headers=(retry_after(RETRY_UNAVAILABLE_SECONDS),)),
        "/metrics": metrics(shared.metrics.registry),
    }
    routes: list[Route | AnyCaseRoute] = [*_analytics_routes(pipeline, parts)]
    routes += [
        Route(path, pipeline.serving(path, by_method, api=_api_of(path))) for path, by_method in endpoints.items()
    ]
    routes += [Route(path, pipeline.probe(path, endpoint)) for path, endpoint in probes.items()]
    # Never a redirect: `/games/v1/events/` is not found, real clients raise on anything else (B2).
    return Routes(routes, Router(routes, redirect_slashes=False, default=pipeline.serving("other", {})))


def _api_of(path: str) -> RouteApi:
    return "games" if path.startswith("/games/") else "other"


def _analytics_routes(pipeline: Pipeline, parts: AppParts) -> list[AnyCaseRoute]:
    """Their paths match in any case (A1)."""
    shared, channel = parts.shared, parts.analytics
    endpoints = {
        "/AddEvent": AddEvents(shared, channel, single=True),
        "/AddEventBatch": AddEvents(shared, channel, single=False),
    }
    return [
        AnyCaseRoute(path, pipeline.serving(path, {"POST": endpoint}, analytics_refusal, "analytics"))
        for path, endpoint in endpoints.items()
    ]


def _watch(parts: AppParts, missing: Callable[[], list[Missing]], settings: IngressSettings) -> None:
    """The gauges of the process and of each API."""
    metrics, bodies = parts.shared.metrics, parts.shared.bodies
    metrics.watch(
        ready=lambda: not missing(), body_bytes=lambda: bodies.held_bytes, waiting_bodies=lambda: bodies.waiting
    )
    metrics.watch_channels({channel.api: _gauges(channel, settings.max_buffer_bytes) for channel in parts.channels})
    for source in SOURCES:
        metrics.watch_clock(source, partial(_skew, parts, source))


def _gauges(channel: ApiChannel, max_buffer_bytes: int) -> ChannelGauges:
    return ChannelGauges(
        buffer_bytes=lambda: channel.publisher.waiting_bytes,
        max_buffer_bytes=lambda: max_buffer_bytes,
        waiting_requests=lambda: channel.watch.waiting,
        lag_seconds=lambda: or_nan(channel.watch.lag_seconds()),
    )


def _skew(parts: AppParts, source: Source) -> float | None:
    return parts.clocks.skews(parts.shared.clock.monotonic_seconds()).by_source.get(source)


def missing_parts(parts: AppParts, stopping: Stopping, checked: Checked) -> Callable[[], list[Missing]]:
    """What keeps the ingress from being ready, by name; empty when it is."""
    shared = parts.shared

    def missing() -> list[Missing]:
        conditions = {
            "keys": shared.authenticator.ready,
            "kafka": parts.games.publisher.ready,
            "kafka analytics": parts.analytics.publisher.ready,
            "mongodb": parts.definitions.ready and all(channel.lineage.was_read for channel in parts.channels),
            "start check": checked.passed,
            "clock": parts.clocks.is_within(shared.clock.monotonic_seconds()),
            "draining": not stopping.draining,
        }
        return missing_of(conditions)

    return missing


class Routes:
    """Routes by their exact path, and starlette's router for every other spelling: it tries the patterns in turn."""

    def __init__(self, routes: Sequence[Route | AnyCaseRoute], router: Asgi) -> None:
        self.routes = routes
        self._exact: dict[str, Asgi] = {one.path: one.endpoint for one in routes if "{" not in one.path}
        self._router = router

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._exact.get(scope["path"], self._router)(scope, receive, send)
