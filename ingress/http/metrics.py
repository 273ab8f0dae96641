"""Every metric of the ingress: meaning, unit, labels from closed sets. One registry, one port, one process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from prometheus_client import Counter, Gauge

from ingress.clock_watch import Source
from ingress.http.refused_causes import CAUSES, KNOWN_CAUSES, RouteApi
from schemas.settings import APIS, Api
from serving.hot_metrics import HotAnswers, HotCounter, HotHistogram
from serving.http.connection_metrics import ConnectionMetrics
from serving.process_metrics import DependencyMetrics, process_registry
from serving.tokens.metrics import TokenMetrics

# Why a refusal is missing in the sample: too many of its cause and app, buffer full, MongoDB unavailable.
NotKept = Literal["rate", "full", "away"]


@dataclass(frozen=True, slots=True)
class ChannelGauges:
    """How the gauges of one API are read. The fields are the names of the metrics."""

    buffer_bytes: Callable[[], float]
    max_buffer_bytes: Callable[[], float]
    waiting_requests: Callable[[], float]
    lag_seconds: Callable[[], float]

    @staticmethod
    def meanings() -> Mapping[str, str]:
        """What each is."""
        return {
            "buffer_bytes": "Bytes of bodies without an ack of Kafka yet, timed-out ones included.",
            "max_buffer_bytes": "The limit of tallymill_ingress_buffer_bytes: ingress.max_buffer_bytes.",
            "waiting_requests": "Requests that wait until their record is counted.",
            "lag_seconds": "Age of the oldest record of this ingress that is not counted yet; NaN if unknown.",
        }


class Metrics:
    """The metrics of one ingress process."""

    def __init__(self) -> None:
        self.registry = process_registry()
        self._declare_answers()
        self._declare_records()
        self._declare_suspicious()
        self._declare_analytics()
        self._declare_sample()
        self._clock_skew = Gauge(
            "tallymill_ingress_clock_skew_seconds",
            "Seconds by which this machine's clock is certainly ahead of a server's (kafka, mongodb); negative if "
            "behind; 0 if the difference is within a response time; NaN if unknown: only an ack tells Kafka's time.",
            ("server",),
            registry=self.registry,
        )
        self.dependencies = DependencyMetrics("ingress", self.registry)
        self.tokens = TokenMetrics("ingress", self.registry, self.dependencies)
        self.connections = ConnectionMetrics("ingress", self.registry)

    def _declare_answers(self) -> None:
        # What every request calls is the method of its metric, without a call in between.
        self.answered = HotAnswers(
            (
                "tallymill_ingress_requests",
                "Requests answered, by route and HTTP status code (499: the client closed the connection first).",
            ),
            (
                "tallymill_ingress_request_seconds",
                "Seconds from the head of a request until its reply is ready, by route and class of the status code.",
            ),
            self.registry,
        ).answered
        self._refused = Counter(
            "tallymill_ingress_refused",
            "Requests, periods, updates and events that were refused, by the API of the route (games, analytics, "
            "other) and cause.",
            ("api", "cause"),
            registry=self.registry,
        )
        # Counters by their labels: prometheus_client's own look-up costs more than counting.
        self._refused_children = {
            (api, cause): self._refused.labels(api, cause) for api, causes in CAUSES.items() for cause in causes
        }

    def _declare_records(self) -> None:
        """Of a record from the producer until it is counted. What every request calls is the method of its series."""
        publish = HotHistogram(
            "tallymill_ingress_publish_seconds",
            "Seconds from handing a record to the producer until Kafka's ack.",
            ("api",),
            registry=self.registry,
        )
        visible = HotHistogram(
            "tallymill_ingress_accepted_to_visible_seconds",
            "Seconds from Kafka's ack until the record is counted in MongoDB, for requests that waited for it.",
            ("api",),
            registry=self.registry,
        )
        self.published = {api: publish.of(api).observe for api in APIS}
        self.visible = {api: visible.of(api).observe for api in APIS}
        unseen = HotCounter(
            "tallymill_ingress_answered_unseen",
            "Batches answered before they were known to be counted (time-out, respond-async, MongoDB unavailable).",
            ("api",),
            registry=self.registry,
        )
        for api in APIS:
            unseen.declare(api)
        self.unseen = unseen.inc

    def _declare_suspicious(self) -> None:
        """Counters that stay 0 unless Kafka lost records or a client has a bug."""
        self._reused_offsets = Counter(
            "tallymill_ingress_reused_offsets",
            "Records that Kafka wrote at offsets that were counted before, so the log was truncated. Answered 503: "
            "workers do not read the partition until an operator starts a new lineage.",
            ("api",),
            registry=self.registry,
        )
        self._payload_differs = Counter(
            "tallymill_ingress_payload_differs",
            "Batches and pools whose requestId was used before with another payload: a bug of the client.",
            ("api",),
            registry=self.registry,
        )
        for api in APIS:
            self._reused_offsets.labels(api)
            self._payload_differs.labels(api)

    def _declare_analytics(self) -> None:
        """Of AddEvent, AddEventBatch and anonymous sessions."""
        self._items = Counter(
            "tallymill_ingress_items",
            "Events of AddEvent and AddEventBatch that were accepted, duplicates included.",
            registry=self.registry,
        )
        self._media_undecodable = Counter(
            "tallymill_ingress_media_undecodable",
            "Requests whose mediaInfo could not be decoded and is stored as it was sent.",
            registry=self.registry,
        )
        self._sessions = Counter(
            "tallymill_ingress_sessions",
            "Anonymous sessions that were issued.",
            registry=self.registry,
        )

    def _declare_sample(self) -> None:
        """Of the sample of refusals."""
        self._refusals_kept = Counter(
            "tallymill_ingress_refusals_kept",
            "Refusals written to the collection `refusals`, the sample that GET /v1/refusals shows.",
            ("api",),
            registry=self.registry,
        )
        self._refusals_not_kept = Counter(
            "tallymill_ingress_refusals_not_kept",
            "Refusals missing in the sample, by reason: rate (too many of a cause and app), full (buffer), "
            "away (MongoDB unavailable).",
            ("api", "reason"),
            registry=self.registry,
        )
        for api in APIS:
            self._refusals_kept.labels(api)
            for reason in get_args(NotKept):
                self._refusals_not_kept.labels(api, reason)

    def refused(self, api: RouteApi, cause: str, number: int = 1) -> None:
        """Raises KeyError if there is no such cause."""
        if cause not in KNOWN_CAUSES:
            raise KeyError(cause)
        child = self._refused_children.get((api, cause)) or self._refused.labels(api, cause)
        child.inc(number)

    def items(self, number: int) -> None:
        self._items.inc(number)

    def media_undecodable(self) -> None:
        self._media_undecodable.inc()

    def session_given(self) -> None:
        self._sessions.inc()

    def reused_offset(self, api: Api) -> None:
        self._reused_offsets.labels(api).inc()

    def payload_differs(self, api: Api) -> None:
        self._payload_differs.labels(api).inc()

    def refusals_kept(self, api: Api, number: int) -> None:
        self._refusals_kept.labels(api).inc(number)

    def refusals_not_kept(self, api: Api, reason: NotKept, number: int = 1) -> None:
        self._refusals_not_kept.labels(api, reason).inc(number)

    def watch(
        self,
        ready: Callable[[], bool],
        body_bytes: Callable[[], int],
        waiting_bodies: Callable[[], int],
    ) -> None:
        """Gauges of the process, read at each scrape."""
        gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "ready": ("1 while /readyz answers 200.", ready),
            "body_bytes": ("Bytes of request bodies in memory, at most ingress.max_body_bytes_held.", body_bytes),
            "waiting_bodies": ("Large request bodies that wait for their turn to be parsed.", waiting_bodies),
        }
        for name, (meaning, read) in gauges.items():
            Gauge(f"tallymill_ingress_{name}", meaning, registry=self.registry).set_function(read)

    def watch_channels(self, channels: Mapping[Api, ChannelGauges]) -> None:
        """Gauges of each API, read at each scrape."""
        for name, meaning in ChannelGauges.meanings().items():
            gauge = Gauge(f"tallymill_ingress_{name}", meaning, ("api",), registry=self.registry)
            for api, reads in channels.items():
                gauge.labels(api).set_function(getattr(reads, name))

    def watch_clock(self, server: Source, skew_seconds: Callable[[], float | None]) -> None:
        """The skew against one server, read at each scrape."""
        self._clock_skew.labels(server).set_function(lambda: or_nan(skew_seconds()))


def or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
