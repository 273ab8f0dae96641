"""The routes of the ingress. Its parts are arguments: a test gives in-memory ones, the process gives real ones."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from starlette.routing import BaseRoute, Route, Router

from ingress.analytics.record import AddEvents, AnalyticsParts
from ingress.analytics.replies import analytics_refusal
from ingress.auth.sessions import Sessions
from ingress.clock_watch import SOURCES, ClockWatch, Source
from ingress.config import IngressSettings
from ingress.delivery.receipts import ReceiptParts, ReceiptState, RequestState
from ingress.docs import asset_endpoint, document_reply, page_reply
from ingress.games.images import DEFAULT_IMAGE_PATH, DefaultImage
from ingress.games.lists import EventDefinitions, ListParts, PlayerEvents
from ingress.games.record import RecordEvents, RecordParts
from ingress.games.validate import ValidateEvents
from ingress.http.any_case import AnyCaseRoute
from ingress.http.body import Receive
from ingress.http.metrics import Metrics
from ingress.http.pipeline import Asgi, Edge, Endpoint, Scope, Stopping
from ingress.http.replies import RETRY_UNAVAILABLE_SECONDS, Reply, json_reply, retry_after
from ingress.limits import LimitsInForce
from ingress.refusals.listing import RefusalsPage


class Checked(Protocol):
    @property
    def passed(self) -> bool:
        """Whether Kafka and MongoDB were found as the promise needs them."""
        ...


@dataclass(frozen=True, slots=True)
class AppParts:
    """What the routes are served with."""

    record: RecordParts
    analytics: AnalyticsParts
    sessions: Sessions
    receipts: ReceiptParts
    lists: ListParts
    clocks: ClockWatch


def create_app(app_parts: AppParts, stopping: Stopping, checked: Checked, settings: IngressSettings) -> Asgi:
    """The ASGI app."""
    parts, receipts, lists = app_parts.record, app_parts.receipts, app_parts.lists
    edge = Edge(parts.metrics, stopping, parts.clock, settings)
    missing = missing_parts(app_parts, stopping, checked)
    _watch(app_parts, missing)
    endpoints: dict[str, dict[str, Endpoint]] = {
        # The hot path first: starlette tries the routes in turn.
        "/games/v1/events": {"POST": RecordEvents(parts), "GET": PlayerEvents(lists)},
        "/games/v1/eventDefinitions": {"GET": EventDefinitions(lists)},
        DEFAULT_IMAGE_PATH: {"GET": DefaultImage()},
        "/v1/receipts/{receipt}": {"GET": ReceiptState(receipts)},
        "/v1/requests/{request_id}": {"GET": RequestState(receipts)},
        "/v1/sessions": {"POST": app_parts.sessions},
        "/v1/limits": {"GET": LimitsInForce(parts.limits)},
        "/v1/validate": {"POST": ValidateEvents(parts)},
        "/v1/refusals": {"GET": RefusalsPage(parts.authenticator, parts.clock, parts.refusals.store)},
        "/openapi.json": {"GET": _Constant(document_reply())},
        "/docs": {"GET": _Constant(page_reply())},
        "/docs/{name}": {"GET": asset_endpoint()},
    }
    probes: dict[str, Endpoint] = {
        "/livez": _Constant(json_reply(200, {"live": True})),
        "/readyz": _Ready(missing),
        "/metrics": _Metrics(parts.metrics),
    }
    routes: list[BaseRoute] = [Route(path, edge.serving(path, by_method)) for path, by_method in endpoints.items()]
    routes[1:1] = _analytics_routes(edge, app_parts.analytics)
    routes += [Route(path, edge.probe(path, endpoint)) for path, endpoint in probes.items()]
    # Never a redirect: `/games/v1/events/` is not found, real clients raise on anything else (B2).
    return Router(routes, redirect_slashes=False, default=edge.serving("other", {}))


def _analytics_routes(edge: Edge, parts: AnalyticsParts) -> list[AnyCaseRoute]:
    """By their whole names, in any case (A1)."""
    endpoints = {"/AddEvent": AddEvents(parts, single=True), "/AddEventBatch": AddEvents(parts, single=False)}
    return [
        AnyCaseRoute(path, edge.serving(path, {"POST": endpoint}, analytics_refusal))
        for path, endpoint in endpoints.items()
    ]


def _watch(parts: AppParts, missing: Callable[[], list[str]]) -> None:
    """The gauges, of both APIs together."""
    publishers = (parts.record.publisher, parts.analytics.publisher)
    watches = (parts.record.applied, parts.analytics.applied)

    def lag_seconds() -> float | None:
        known = [lag for watch in watches if (lag := watch.lag_seconds()) is not None]
        return max(known) if len(known) == len(watches) else None

    parts.record.metrics.watch(
        ready=lambda: not missing(),
        buffer_bytes=lambda: sum(publisher.waiting_bytes for publisher in publishers),
        body_bytes=lambda: parts.record.bodies.held_bytes,
        waiting=lambda: sum(watch.waiting for watch in watches),
        waiting_bodies=lambda: parts.record.bodies.waiting,
        lag_seconds=lag_seconds,
    )
    for source in SOURCES:
        parts.record.metrics.watch_clock(source, partial(_skew, parts, source))


def _skew(parts: AppParts, source: Source) -> float | None:
    return parts.clocks.skews(parts.record.clock.monotonic_seconds()).by_source.get(source)


def missing_parts(app_parts: AppParts, stopping: Stopping, checked: Checked) -> Callable[[], list[str]]:
    """What keeps the ingress from being ready, by name; empty when it is."""
    parts, analytics = app_parts.record, app_parts.analytics

    def missing() -> list[str]:
        there: Mapping[str, bool] = {
            "keys": parts.authenticator.ready,
            "kafka": parts.publisher.ready,
            "kafka analytics": analytics.publisher.ready,
            "definitions": parts.definitions.ready,
            "start check": checked.passed,
            "clock": app_parts.clocks.is_within(parts.clock.monotonic_seconds()),
            "draining": not stopping.draining,
        }
        return [name for name, ready in there.items() if not ready]

    return missing


class _Constant:
    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    async def __call__(self, _scope: Scope, _receive: Receive) -> Reply:
        return self._reply


class _Ready:
    """`GET /readyz`: whether requests should be sent here."""

    def __init__(self, missing: Callable[[], list[str]]) -> None:
        self._missing = missing

    async def __call__(self, _scope: Scope, _receive: Receive) -> Reply:
        missing = self._missing()
        if not missing:
            return json_reply(200, {"ready": True, "missing": []})
        return json_reply(503, {"ready": False, "missing": missing}).having(retry_after(RETRY_UNAVAILABLE_SECONDS))


class _Metrics:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def __call__(self, _scope: Scope, _receive: Receive) -> Reply:
        return Reply(200, self._metrics.text(), ((b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),))
