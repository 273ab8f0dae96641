"""The metrics of token checks. Each process that checks tokens has them in its own registry, under its own name."""

from collections.abc import Callable
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# An ack takes milliseconds, a visible count or an issuer's answer tens of them; the deadlines are seconds.
SECONDS_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

IntrospectionOutcome = Literal["active", "not_active", "failed"]


class TokenMetrics:
    """The metrics of requests to the token issuer."""

    def __init__(self, process: Literal["ingress", "console"], registry: CollectorRegistry) -> None:
        self._process = process
        self._registry = registry
        key_reads = Counter(
            f"tallymill_{process}_key_reads",
            "Reads of the token issuer's key set, by outcome: read, failed (the last good key set stays in use).",
            ("outcome",),
            registry=registry,
        )
        introspection_seconds = Histogram(
            f"tallymill_{process}_introspection_seconds",
            "Seconds of one introspection request to the token issuer, by outcome: active, not_active, failed "
            "(answered 503).",
            ("outcome",),
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self._key_reads = {outcome: key_reads.labels(outcome) for outcome in ("read", "failed")}
        self._introspections = {
            outcome: introspection_seconds.labels(outcome) for outcome in get_args(IntrospectionOutcome)
        }

    def keys_read(self, *, read: bool) -> None:
        self._key_reads["read" if read else "failed"].inc()

    def introspected(self, outcome: IntrospectionOutcome, seconds: float) -> None:
        self._introspections[outcome].observe(seconds)

    def watch_keys(self, age_seconds: Callable[[], float]) -> None:
        """A gauge of the issuer's keys, where tokens are checked with keys."""
        Gauge(
            f"tallymill_{self._process}_keys_age_seconds",
            "Seconds since the token issuer's key set was last read; NaN before the first read; missing if tokens are "
            "introspected.",
            registry=self._registry,
        ).set_function(age_seconds)
