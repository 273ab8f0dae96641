"""The metrics of a canary process: meaning, unit, and labels from closed sets."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from ops.canary.judge import OUTCOMES, Outcome
from serving.http.connection_metrics import ConnectionMetrics
from serving.process_metrics import process_registry

# Around the promise, 0.25 s; the last ones are outages.
SECONDS_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class CanaryMetrics:
    """The metrics of one canary process, on a registry of its own."""

    def __init__(self) -> None:
        self.registry = process_registry()
        batches = Counter(
            "tallymill_canary_batches",
            "Batches of the canary, by outcome. counted: the total grew by exactly 1; miscounted: it grew by another "
            "number, 0 included; first: visible, but there is no earlier total to compare with; refused: not counted, "
            "and the ingress said so.",
            ("outcome",),
            registry=self.registry,
        )
        self._batches = {outcome: batches.labels(outcome) for outcome in OUTCOMES}
        self._visible_seconds = Histogram(
            "tallymill_canary_visible_seconds",
            "Seconds from the first try of a batch until the ingress says that it is counted. Includes all tries.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._last_success = Gauge(
            "tallymill_canary_last_success_timestamp_seconds",
            "Unix time of the last batch with the outcome counted; 0 before the first.",
            registry=self.registry,
        )
        self.connections = ConnectionMetrics("canary", self.registry)

    def ended(self, outcome: Outcome) -> None:
        self._batches[outcome].inc()

    def visible(self, seconds: float) -> None:
        self._visible_seconds.observe(seconds)

    def succeeded(self, now_millis: int) -> None:
        self._last_success.set(now_millis / 1000)
