"""The metrics of a console process: meaning, unit, and labels from closed sets."""

from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from console.observer.metrics import SystemMetrics
from console.observer.snapshot import Snapshot
from serving.hot_metrics import SECONDS_BUCKETS
from serving.http.connection_metrics import ConnectionMetrics
from serving.process_metrics import DependencyMetrics, process_registry
from serving.tokens.metrics import TokenMetrics

COUNTS, EVENTS, SYSTEM, DOCUMENT = "/v1/counts", "/v1/events", "/v1/system", "/openapi.json"
APPS, DEFINITIONS = "/v1/apps", "/v1/definitions"
REFUSALS, DEAD_LETTERS = "/v1/refusals", "/v1/dead-letters"
PLAYER, REQUEST, RECEIPT = "/v1/players/{player}", "/v1/requests/{requestId}", "/v1/receipts/{receipt}"
QUERIES: Final = (COUNTS, EVENTS, APPS, DEFINITIONS, REFUSALS, DEAD_LETTERS, PLAYER, REQUEST, RECEIPT)
PROBES: Final = ("/livez", "/readyz", "/metrics")
PAGE, PAGE_FILES, OPEN = "/", "/page/", "/open"
LOGIN, CALLBACK, LOGOUT, SESSION = "/login", "/callback", "/logout", "/v1/session"
REDRIVE: Final = "/v1/dead-letters/redrive"
ROUTES: Final = (
    *QUERIES,
    *(SYSTEM, DOCUMENT, "/docs", "/docs/{name}"),
    *(PAGE, OPEN, LOGIN, CALLBACK, LOGOUT, SESSION, REDRIVE),
    *PROBES,
)
OTHER_ROUTE = "other"


class Metrics:
    """The metrics of one console process."""

    def __init__(self) -> None:
        self.registry = process_registry()
        self._requests = Counter(
            "tallymill_console_requests",
            "Requests answered, by route and HTTP status code.",
            ("route", "code"),
            registry=self.registry,
        )
        self._query_seconds = Histogram(
            "tallymill_console_query_seconds",
            "Seconds from the start of a query until its reply is ready. Includes the wait for its turn, and queries "
            "that were refused.",
            ("route",),
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._documents = Counter(
            "tallymill_console_documents_read",
            "Documents read from MongoDB.",
            ("route",),
            registry=self.registry,
        )

        self.dependencies = DependencyMetrics("console", self.registry)
        self.tokens = TokenMetrics("console", self.registry, self.dependencies)
        self.connections = ConnectionMetrics("console", self.registry)

    def answered(self, path: str, code: int) -> None:
        route = path if path in ROUTES else PAGE_FILES if path.startswith(PAGE_FILES) else OTHER_ROUTE
        self._requests.labels(route, str(code)).inc()

    def queried(self, route: str, seconds: float) -> None:
        self._query_seconds.labels(route).observe(seconds)

    def read(self, route: str, documents: int) -> None:
        self._documents.labels(route).inc(documents)

    def observe(self, snapshot: Callable[[], Snapshot]) -> None:
        """Adds the metrics of the whole system, written from the snapshot at each scrape."""
        self.registry.register(SystemMetrics(snapshot))

    def watch(self, ready: Callable[[], bool], queries: Callable[[], int]) -> None:
        """Adds gauges whose values are read at each scrape."""
        gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "ready": ("1 while /readyz answers 200.", ready),
            "queries": ("Requests that query MongoDB now or wait for their turn.", queries),
        }
        for name, (meaning, read) in gauges.items():
            Gauge(f"tallymill_console_{name}", meaning, registry=self.registry).set_function(read)
