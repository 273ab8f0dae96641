"""Counts connections, and logs closed ones, but not each: a flood of connections must not flood the log."""

import time

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from serving.http.connections import CAUSES, Cause, Connections

log = structlog.get_logger()

# At most one log line in this time.
LOG_SECONDS = 10.0


class ConnectionMetrics:
    """The metrics of one process: `ingress`, `console` or `worker`."""

    def __init__(self, process: str, registry: CollectorRegistry) -> None:
        self._open = Gauge(f"tallymill_{process}_connections", "Open HTTP connections.", registry=registry)
        self._closed = Counter(
            f"tallymill_{process}_connections_closed",
            "Connections closed by this process, by cause. full: the limit of connections is reached; address: its "
            "address has too many; silent: no request in time, or idle for longest when a new connection needed its "
            "place; unread: the client did not read the replies.",
            ("cause",),
            registry=registry,
        )
        self._logged_at = float("-inf")

    def bounded(self, max_open: int, max_per_address: int | None) -> Connections:
        """The connections of the process, at most `max_open`, counted by these metrics."""
        for cause in CAUSES:
            if cause != "address" or max_per_address is not None:
                self._closed.labels(cause)
        connections = Connections(max_open, max_per_address, self._count)
        self._open.set_function(lambda: len(connections))
        return connections

    def _count(self, cause: Cause) -> None:
        self._closed.labels(cause).inc()
        now = time.monotonic()
        if now - self._logged_at >= LOG_SECONDS:
            self._logged_at = now
            log.info("connection_closed", cause=cause)
