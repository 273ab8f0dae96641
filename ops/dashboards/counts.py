"""Dashboard Counts: the business's counts, which Grafana's Infinity data source reads from the console."""

from collections.abc import Mapping
from typing import Any, Final

from ops.dashboards.grafana import Json, page_json

INFINITY: Final[Json] = {"type": "yesoreyeram-infinity-datasource", "uid": "${datasource}"}

ROWS: Final = "rows"
"""The field of the reply of /v1/counts that holds the counts."""

COLUMNS: Final[Mapping[str, str]] = {"at": "timestamp", "event": "string", "count": "number"}

QUERY: Final = "/v1/counts?app=${app}&source=${source}&step=${step}&from=${__from}&to=${__to}"


def counts_json() -> Json:
    """Two panels: counts over time, and their sums by event."""
    panels = [
        _panel(1, "Counts by event", "timeseries", {"x": 0, "y": 0, "w": 24, "h": 12}, _OVER_TIME),
        _panel(2, "Sum of each event", "table", {"x": 0, "y": 12, "w": 24, "h": 10}, _SUMS),
    ]
    return page_json(
        "tallymill-counts",
        "tallymill / Counts",
        "What was counted, from /v1/counts of the console. Needs Grafana's Infinity data source.",
        panels,
        [
            {"name": "datasource", "label": "Infinity", "type": "datasource", "query": INFINITY["type"], "refresh": 1},
            _text("app", "App", "demo"),
            _choice("source", "Source", ("games", "analytics")),
            _choice("step", "Step", ("minute", "hour", "day")),
        ],
    ) | {"refresh": "1m", "time": {"from": "now-24h", "to": "now"}}


def _panel(number: int, title: str, kind: str, place: Json, transformations: list[Json]) -> Json:
    return {
        "id": number,
        "type": kind,
        "title": title,
        "description": "Counts of zero have no row. The last step is not over yet.",
        "datasource": INFINITY,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": "short", "min": 0}, "overrides": []},
        "options": {},
        "transformations": transformations,
        "targets": [
            {
                "refId": "A",
                "datasource": INFINITY,
                "type": "json",
                "source": "url",
                "parser": "backend",
                "format": "table",
                "url": QUERY,
                "url_options": {"method": "GET", "data": ""},
                "root_selector": ROWS,
                "columns": [{"selector": name, "text": name, "type": kind} for name, kind in COLUMNS.items()],
            }
        ],
    }


_OVER_TIME: Final[list[Json]] = [
    {"id": "partitionByValues", "options": {"fields": ["event"], "keepFields": False}},
]
_SUMS: Final[list[Json]] = [
    {
        "id": "groupBy",
        "options": {
            "fields": {
                "event": {"aggregations": [], "operation": "groupby"},
                "count": {"aggregations": ["sum"], "operation": "aggregate"},
            }
        },
    },
]


def _text(name: str, label: str, value: str) -> Json:
    return {"name": name, "label": label, "type": "textbox", "query": value, "current": {"text": value, "value": value}}


def _choice(name: str, label: str, values: tuple[str, ...]) -> Json:
    options: list[dict[str, Any]] = [
        {"text": value, "value": value, "selected": i == 0} for i, value in enumerate(values)
    ]
    return {
        "name": name,
        "label": label,
        "type": "custom",
        "query": ",".join(values),
        "options": options,
        "current": options[0],
    }
