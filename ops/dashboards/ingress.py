"""Dashboard Ingress: requests, and what keeps the ingress from accepting them."""

from typing import Final

from ops.dashboards.grafana import RED, YELLOW, Dashboard, Panel, Query, Row, choice, datasource_variable
from ops.dashboards.process import process_row

_I: Final = 'instance=~"$instance"'


def _quantile(q: float, metric: str, by: str) -> str:
    return f"histogram_quantile({q:g}, sum by ({by}, le) (rate({metric}_bucket{{{_I}}}[$__rate_interval])))"


_REQUESTS: Final = Row(
    "Requests",
    (
        Panel(
            "Requests a second",
            (
                Query(
                    f"sum by (route, code) (rate(tallymill_ingress_requests_total{{{_I}}}[$__rate_interval]))",
                    "{{route}} {{code}}",
                ),
            ),
            "By route and HTTP status. 499: the client closed the connection first.",
            unit="reqps",
        ),
        Panel(
            "Time of a request",
            (
                Query(_quantile(0.5, "tallymill_ingress_request_seconds", "route"), "{{route}} p50"),
                Query(_quantile(0.99, "tallymill_ingress_request_seconds", "route"), "{{route}} p99"),
            ),
            "Until the reply is ready. A batch waits until it is counted, at most ingress.apply_timeout_seconds.",
            unit="s",
        ),
        Panel(
            "Requests with events that fail",
            (
                Query("tallymill:ingest_errors:ratio_rate5m", "5 minutes"),
                Query("tallymill:ingest_errors:ratio_rate1h", "1 hour"),
            ),
            "The share that is answered 5xx. The goal is 0.1 % (IngestErrorBudgetBurn).",
            unit="percentunit",
        ),
        Panel(
            "Kafka's ack",
            (
                Query(_quantile(0.5, "tallymill_ingress_publish_seconds", "api"), "{{api}} p50"),
                Query(_quantile(0.99, "tallymill_ingress_publish_seconds", "api"), "{{api}} p99"),
            ),
            "Seconds from handing a record to the producer until Kafka has acknowledged it.",
            unit="s",
        ),
        Panel(
            "From ack to visible",
            (
                Query(_quantile(0.5, "tallymill_ingress_accepted_to_visible_seconds", "api"), "{{api}} p50"),
                Query(_quantile(0.99, "tallymill_ingress_accepted_to_visible_seconds", "api"), "{{api}} p99"),
            ),
            "Of requests that waited for it.",
            unit="s",
        ),
        Panel(
            "Refused a second",
            (
                Query(
                    f"sum by (api, cause) (rate(tallymill_ingress_refused_total{{{_I}}}[$__rate_interval]))",
                    "{{api}} {{cause}}",
                ),
            ),
            "Requests, periods, updates and events, by cause.",
            unit="ops",
        ),
    ),
)

_CAPACITY: Final = Row(
    "Capacity",
    (
        Panel(
            "Ready",
            (Query(f"tallymill_ingress_ready{{{_I}}}", "{{instance}}"),),
            "1 while /readyz answers 200.",
        ),
        Panel(
            "Buffer for Kafka",
            (
                Query(
                    f"tallymill_ingress_buffer_bytes{{{_I}}} / tallymill_ingress_max_buffer_bytes{{{_I}}}",
                    "{{instance}} {{api}}",
                ),
            ),
            "How full it is. When it is full, requests are answered 503 at once.",
            unit="percentunit",
            steps=((0.8, YELLOW), (0.95, RED)),
        ),
        Panel(
            "Bodies in memory",
            (Query(f"tallymill_ingress_body_bytes{{{_I}}}", "{{instance}}"),),
            "Bytes, at most ingress.max_body_bytes_held.",
            unit="bytes",
        ),
        Panel(
            "Requests that wait",
            (
                Query(f"sum by (api) (tallymill_ingress_waiting_requests{{{_I}}})", "{{api}}: to be counted"),
                Query(f"sum(tallymill_ingress_waiting_bodies{{{_I}}})", "to be parsed"),
            ),
            "Until their record is counted, or until their large body is parsed.",
        ),
        Panel(
            "Connections",
            (
                Query(f"tallymill_ingress_connections{{{_I}}}", "{{instance}}"),
                Query(
                    f"sum by (cause) (rate(tallymill_ingress_connections_closed_total{{{_I}}}[$__rate_interval]))",
                    "closed a second: {{cause}}",
                ),
            ),
            "Open HTTP connections, and those that the ingress closed by itself.",
        ),
        Panel(
            "Lag of own records",
            (Query(f"tallymill_ingress_lag_seconds{{{_I}}}", "{{instance}} {{api}}"),),
            "Age of the oldest record of this ingress that is not counted yet.",
            unit="s",
        ),
    ),
)

_TOKENS: Final = Row(
    "Tokens, servers and clocks",
    (
        Panel(
            "Servers that can be used",
            (
                Query(
                    f"min by (instance, dependency) (tallymill_ingress_dependency_up{{{_I}}})",
                    "{{instance}} {{dependency}}",
                ),
            ),
            "1 while the ingress can use the server. The log has the reason of each outage.",
        ),
        Panel(
            "Rejected tokens a second",
            (
                Query(
                    f"sum by (reason) (rate(tallymill_ingress_rejected_tokens_total{{{_I}}}[$__rate_interval]))",
                    "{{reason}}",
                ),
            ),
            "Tokens that were answered 401, by reason.",
            unit="ops",
        ),
        Panel(
            "Age of the token issuer's keys",
            (Query(f"tallymill_ingress_keys_age_seconds{{{_I}}}", "{{instance}}"),),
            "Read every tokens.jwks_refresh_seconds. Empty where tokens are introspected.",
            unit="s",
        ),
        Panel(
            "Anonymous sessions and items a second",
            (
                Query(f"sum(rate(tallymill_ingress_sessions_total{{{_I}}}[$__rate_interval]))", "sessions"),
                Query(f"sum(rate(tallymill_ingress_items_total{{{_I}}}[$__rate_interval]))", "items"),
            ),
            "Sessions that were issued, and accepted events of AddEvent and AddEventBatch.",
            unit="ops",
        ),
        Panel(
            "This machine's clock",
            (Query(f"tallymill_ingress_clock_skew_seconds{{{_I}}}", "{{instance}} to {{server}}"),),
            "Seconds by which it is certainly ahead of a server's.",
            unit="s",
            least=None,
        ),
    ),
)

INGRESS: Final = Dashboard(
    "tallymill-ingress",
    "tallymill / Ingress",
    "What clients are answered, how fast, and what the ingress waits for.",
    (_REQUESTS, _CAPACITY, _TOKENS, process_row("tallymill-ingress")),
    (datasource_variable(), choice("instance", "Ingress", "tallymill_ingress_ready")),
)
