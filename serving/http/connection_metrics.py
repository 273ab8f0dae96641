"""Connections, counted; and told of in the log, but not once each: a flood of them would be one of lines."""

import time

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from serving.http.connections import CAUSES, Cause, Connections

log = structlog.get_logger()

TELL_SECONDS = 10.0


class ConnectionMetrics:
    """Of one process: `ingress`, `console` or `worker`."""

    def __init__(self, process: str, registry: CollectorRegistry) -> None:
        self._open = Gauge(f"tallymill_{process}_connections", "HTTP connections that are open.", registry=registry)
        self._closed = Counter(
            f"tallymill_{process}_connections_closed",
            "Connections closed from here, by cause. full: all places taken; address: too many of it; silent: no "
            "request in time, or silent for longest where there was no room; unread: replies were not read.",
            ("cause",),
            registry=registry,
        )
        for cause in CAUSES:
            self._closed.labels(cause)
        self._told_at = float("-inf")

    def bounded(self, max_open: int, max_per_address: int | None) -> Connections:
        """The connections of the process: so many, and counted here."""
        connections = Connections(max_open, max_per_address, self._count)
        self._open.set_function(lambda: len(connections))
        return connections

    def _count(self, cause: Cause) -> None:
        self._closed.labels(cause).inc()
        now = time.monotonic()
        if now - self._told_at >= TELL_SECONDS:
            self._told_at = now
            log.info("connection_closed", cause=cause)
