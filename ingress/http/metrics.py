"""Every metric of the ingress: meaning, unit, labels from closed sets. One registry, one port, one process."""

from collections.abc import Callable
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ingress.clock_watch import Source
from ingress.http.replies import Refusal
from schemas.games.body import EventFailureCause, EventUpdateFailureCause
from serving.failures import FAILURES
from serving.http.connection_metrics import ConnectionMetrics
from serving.tokens.metrics import SECONDS_BUCKETS, TokenMetrics

# What `cause` can be: a refusal of the whole request, or why a batch, a period, an update or, of a batch
# whose rest was taken, an event was not recorded.
BAD_ITEM: Final = "BAD_ITEM"
CAUSES: Final = (*(r.name for r in Refusal), *EventFailureCause, *EventUpdateFailureCause, BAD_ITEM)
# Why a refusal is not in the sample: beyond its rate, no room to wait in, MongoDB away or without the collection.
NotKept = Literal["rate", "full", "away"]


class Metrics:
    """The metrics of one ingress process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(FAILURES)
        self._requests = Counter(
            "tallymill_ingress_requests",
            "Requests answered, by route and HTTP status code (499: the client left first).",
            ("route", "code"),
            registry=self.registry,
        )
        self._refused = Counter(
            "tallymill_ingress_refused",
            "Requests, periods, updates and events that were refused, by cause.",
            ("cause",),
            registry=self.registry,
        )
        self._publish_seconds = Histogram(
            "tallymill_ingress_publish_seconds",
            "Seconds from handing a record to the producer to Kafka's ack.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._visible_seconds = Histogram(
            "tallymill_ingress_accepted_to_visible_seconds",
            "Seconds from Kafka's ack until the record is counted in MongoDB, of requests that waited for it.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._unseen = Counter(
            "tallymill_ingress_answered_unseen",
            "Batches answered before they were known to be counted (time-out, respond-async, MongoDB away).",
            registry=self.registry,
        )
        self._refused_children = {cause: self._refused.labels(cause) for cause in CAUSES}
        self._request_children: dict[tuple[str, int], Counter] = {}
        self._declare_suspicious()
        self._declare_analytics()
        self._declare_sample()
        self._clock_skew = Gauge(
            "tallymill_ingress_clock_skew_seconds",
            "Seconds that this machine's clock is certainly ahead of a server's (kafka, mongodb), negative if behind; "
            "0 within what an answer takes; NaN when not known: Kafka tells its time with acks alone.",
            ("server",),
            registry=self.registry,
        )
        self.tokens = TokenMetrics("ingress", self.registry)
        self.connections = ConnectionMetrics("ingress", self.registry)

    def _declare_suspicious(self) -> None:
        """What should never move: a log that was cut, a client's bug."""
        self._reused_offsets = Counter(
            "tallymill_ingress_reused_offsets",
            "Records that Kafka put where others had been counted: the log was cut. Answered 503; no worker reads on "
            "there before an operator starts a new lineage.",
            registry=self.registry,
        )
        self._payload_differs = Counter(
            "tallymill_ingress_payload_differs",
            "Batches and pools of which another payload had counted under the same requestId: a client's bug.",
            registry=self.registry,
        )

    def _declare_analytics(self) -> None:
        """Of AddEvent and AddEventBatch."""
        self._items = Counter(
            "tallymill_ingress_items",
            "Events of AddEvent and AddEventBatch that were taken, resent ones too.",
            registry=self.registry,
        )
        self._media_undecodable = Counter(
            "tallymill_ingress_media_undecodable",
            "Requests whose mediaInfo could not be decoded; it is kept as it was sent.",
            registry=self.registry,
        )
        self._sessions = Counter(
            "tallymill_ingress_sessions",
            "Anonymous sessions that were given out.",
            registry=self.registry,
        )

    def _declare_sample(self) -> None:
        """Of the refusals that are kept to be looked at."""
        self._refusals_kept = Counter(
            "tallymill_ingress_refusals_kept",
            "Refusals written to `refusals`, the sample that GET /v1/refusals shows.",
            registry=self.registry,
        )
        self._refusals_not_kept = Counter(
            "tallymill_ingress_refusals_not_kept",
            "Refusals left out of the sample, by reason: rate (enough of that cause and app), full, away (MongoDB).",
            ("reason",),
            registry=self.registry,
        )
        self._not_kept_children = {reason: self._refusals_not_kept.labels(reason) for reason in get_args(NotKept)}

    def answered(self, route: str, code: int) -> None:
        child = self._request_children.get((route, code))
        if child is None:
            child = self._request_children[route, code] = self._requests.labels(route, str(code))
        child.inc()

    def refused(self, cause: str, number: int = 1) -> None:
        self._refused_children[cause].inc(number)

    def items(self, number: int) -> None:
        self._items.inc(number)

    def media_undecodable(self) -> None:
        self._media_undecodable.inc()

    def session_given(self) -> None:
        self._sessions.inc()

    def published(self, seconds: float) -> None:
        self._publish_seconds.observe(seconds)

    def visible(self, seconds: float) -> None:
        self._visible_seconds.observe(seconds)

    def unseen(self) -> None:
        self._unseen.inc()

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
        """Gauges that are read when they are asked for."""
        gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "ready": ("1 while /readyz answers 200.", ready),
            "buffer_bytes": ("Bytes of bodies that Kafka has not yet taken, timed-out ones included.", buffer_bytes),
            "body_bytes": ("Bytes of request bodies that are held, of ingress.max_body_bytes_held.", body_bytes),
            "waiting_bodies": ("Large request bodies that wait for their turn to be read.", waiting_bodies),
            "waiting_requests": ("Requests that wait until they are counted.", waiting),
            "lag_seconds": (
                "Age of the oldest record of this ingress that is not counted yet; NaN when not known.",
                lambda: _or_nan(lag_seconds()),
            ),
        }
        for name, (meaning, read) in gauges.items():
            Gauge(f"tallymill_ingress_{name}", meaning, registry=self.registry).set_function(read)

    def watch_clock(self, server: Source, skew_seconds: Callable[[], float | None]) -> None:
        """The skew against one server, read when it is asked for."""
        self._clock_skew.labels(server).set_function(lambda: _or_nan(skew_seconds()))

    def text(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self.registry)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
