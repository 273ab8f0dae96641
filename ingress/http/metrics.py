"""Every metric of the ingress: meaning, unit, labels from closed sets. One registry, one port, one process."""

from collections.abc import Callable
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from ingress.clock_watch import Source
from schemas.errors.table import Refusal
from schemas.games.body import EventFailureCause, EventUpdateFailureCause
from serving.failures import FAILURES
from serving.hot_metrics import HotCounter, HotHistogram
from serving.http.connection_metrics import ConnectionMetrics
from serving.tokens.metrics import SECONDS_BUCKETS, TokenMetrics

# The values of `cause`: why a whole request, a batch, a period or an update was refused; BAD_ITEM for an event that was
# refused while the rest of its batch was accepted.
BAD_ITEM: Final = "BAD_ITEM"
CAUSES: Final = (
    *(r.name for r in Refusal if r.value.by_ingress),
    *EventFailureCause,
    *EventUpdateFailureCause,
    BAD_ITEM,
)
# Why a refusal is missing in the sample: too many of its cause and app, buffer full, MongoDB unavailable.
NotKept = Literal["rate", "full", "away"]


class Metrics:
    """The metrics of one ingress process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(FAILURES)
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
        self.tokens = TokenMetrics("ingress", self.registry)
        self.connections = ConnectionMetrics("ingress", self.registry)

    def _declare_answers(self) -> None:
        # What every request calls is the method of its metric, without a call in between.
        self.answered = HotCounter(
            "tallymill_ingress_requests",
            "Requests answered, by route and HTTP status code (499: the client closed the connection first).",
            ("route", "code"),
            registry=self.registry,
        ).inc
        refused = Counter(
            "tallymill_ingress_refused",
            "Requests, periods, updates and events that were refused, by cause.",
            ("cause",),
            registry=self.registry,
        )
        # Counters by their labels: prometheus_client's own look-up costs more than counting.
        self._refused_children = {cause: refused.labels(cause) for cause in CAUSES}

    def _declare_records(self) -> None:
        """Of both APIs: a record from the producer until it is counted."""
        self.published = HotHistogram(
            "tallymill_ingress_publish_seconds",
            "Seconds from handing a record to the producer until Kafka's ack.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        ).observe
        self.visible = HotHistogram(
            "tallymill_ingress_accepted_to_visible_seconds",
            "Seconds from Kafka's ack until the record is counted in MongoDB, for requests that waited for it.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        ).observe
        self.unseen = HotCounter(
            "tallymill_ingress_answered_unseen",
            "Batches answered before they were known to be counted (time-out, respond-async, MongoDB unavailable).",
            (),
            registry=self.registry,
        ).inc

    def _declare_suspicious(self) -> None:
        """Counters that stay 0 unless Kafka lost records or a client has a bug."""
        self._reused_offsets = Counter(
            "tallymill_ingress_reused_offsets",
            "Records that Kafka wrote at offsets that were counted before, so the log was truncated. Answered 503: "
            "workers do not read the partition until an operator starts a new lineage.",
            registry=self.registry,
        )
        self._payload_differs = Counter(
            "tallymill_ingress_payload_differs",
            "Batches and pools whose requestId was used before with another payload: a bug of the client.",
            registry=self.registry,
        )

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
            registry=self.registry,
        )
        self._refusals_not_kept = Counter(
            "tallymill_ingress_refusals_not_kept",
            "Refusals missing in the sample, by reason: rate (too many of a cause and app), full (buffer), "
            "away (MongoDB unavailable).",
            ("reason",),
            registry=self.registry,
        )
        self._not_kept_children = {reason: self._refusals_not_kept.labels(reason) for reason in get_args(NotKept)}

    def refused(self, cause: str, number: int = 1) -> None:
        self._refused_children[cause].inc(number)

    def items(self, number: int) -> None:
        self._items.inc(number)

    def media_undecodable(self) -> None:
        self._media_undecodable.inc()

    def session_given(self) -> None:
        self._sessions.inc()

    def reused_offset(self) -> None:
        self._reused_offsets.inc()

    def payload_differs(self) -> None:
        self._payload_differs.inc()

    def refusals_kept(self, number: int) -> None:
        self._refusals_kept.inc(number)

    def refusals_not_kept(self, reason: NotKept, number: int = 1) -> None:
        self._not_kept_children[reason].inc(number)

    def watch(
        self,
        ready: Callable[[], bool],
        buffer_bytes: Callable[[], int],
        body_bytes: Callable[[], int],
        waiting: Callable[[], int],
        waiting_bodies: Callable[[], int],
        lag_seconds: Callable[[], float | None],
    ) -> None:
        """Gauges whose value is read at each scrape."""
        gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "ready": ("1 while /readyz answers 200.", ready),
            "buffer_bytes": (
                "Bytes of bodies without an ack of Kafka yet, timed-out ones included.",
                buffer_bytes,
            ),
            "body_bytes": ("Bytes of request bodies in memory, at most ingress.max_body_bytes_held.", body_bytes),
            "waiting_bodies": ("Large request bodies that wait for their turn to be parsed.", waiting_bodies),
            "waiting_requests": ("Requests that wait until their record is counted.", waiting),
            "lag_seconds": (
                "Age of the oldest record of this ingress that is not counted yet; NaN if unknown.",
                lambda: _or_nan(lag_seconds()),
            ),
        }
        for name, (meaning, read) in gauges.items():
            Gauge(f"tallymill_ingress_{name}", meaning, registry=self.registry).set_function(read)

    def watch_clock(self, server: Source, skew_seconds: Callable[[], float | None]) -> None:
        """The skew against one server, read at each scrape."""
        self._clock_skew.labels(server).set_function(lambda: _or_nan(skew_seconds()))

    def text(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self.registry)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
