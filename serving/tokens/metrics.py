"""The metrics of token checks. Each process that checks tokens has them in its own registry, under its own name."""

from collections.abc import Callable
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from serving.hot_metrics import SECONDS_BUCKETS
from serving.process_metrics import DependencyMetrics
from serving.tokens.identity import REASONS, Reason
from serving.tokens.rejected import RejectedTokens

IntrospectionOutcome = Literal["active", "not_active", "failed"]


class TokenMetrics:
    """The metrics of requests to the token issuer."""

    def __init__(
        self, process: Literal["ingress", "console"], registry: CollectorRegistry, dependencies: DependencyMetrics
    ) -> None:
        self._process = process
        self.dependencies = dependencies
        self.rejected = RejectedTokens(process, registry)
        self._registry = registry
        self._key_reads = Counter(
            f"tallymill_{process}_key_reads",
            "Reads of the token issuer's key set, by outcome: read, failed (the last good key set stays in use).",
            ("outcome",),
            registry=registry,
        )
        self._introspections = Histogram(
            f"tallymill_{process}_introspection_seconds",
            "Seconds of one introspection request to the token issuer, by outcome: active, not_active, failed "
            "(answered 503).",
            ("outcome",),
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )

    def declare(self, *, by_keys: bool) -> None:
        """Show what this process can count before the first time: tokens are checked with keys, or introspected."""
        if by_keys:
            for read in ("read", "failed"):
                self._key_reads.labels(read)
        else:
            for outcome in get_args(IntrospectionOutcome):
                self._introspections.labels(outcome)
        cannot: Reason = "inactive" if by_keys else "signature"
        self.rejected.declare(reason for reason in REASONS if reason != cannot)

    def keys_read(self, *, read: bool) -> None:
        self._key_reads.labels("read" if read else "failed").inc()

    def introspected(self, outcome: IntrospectionOutcome, seconds: float) -> None:
        self._introspections.labels(outcome).observe(seconds)

    def watch_keys(self, age_seconds: Callable[[], float]) -> None:
        """A gauge of the issuer's keys, where tokens are checked with keys."""
        Gauge(
            f"tallymill_{self._process}_keys_age_seconds",
            "Seconds since the token issuer's key set was last read; NaN before the first read; missing if tokens are "
            "introspected.",
            registry=self._registry,
        ).set_function(age_seconds)
