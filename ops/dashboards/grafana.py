"""A dashboard of Grafana from a table of panels. Pure.

Only panels that Grafana itself brings. The layout flows: panels stand side by side until a row of 24 columns is full.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Json = dict[str, Any]

COLUMNS: Final = 24
REFERENCES: Final = "ABCDEFGH"
SCHEMA_VERSION: Final = 39  # of Grafana 10.4; later versions convert it

PROMETHEUS: Final[Json] = {"type": "prometheus", "uid": "${datasource}"}

GREEN, YELLOW, RED = "green", "yellow", "red"

Steps = Sequence[tuple[float, str]]
"""Colours from a value on. Below the first one it is green."""


@dataclass(frozen=True, slots=True)
class Query:
    """One expression. `legend`: the name of a series, with labels as {{label}}; of a table, the name of the column."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `means`: one or two sentences, shown behind the i."""

    title: str
    queries: Sequence[Query]
    means: str
    kind: Literal["timeseries", "stat", "table"] = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 8
    steps: Steps = ()
    decimals: int | None = None
    least: float | None = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A heading, and the panels below it."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One page. `uid` never changes: links and bookmarks have it."""

    uid: str
    title: str
    means: str
    rows: Sequence[Row]
    variables: Sequence[Json] = ()


def datasource_variable() -> Json:
    """The choice of a Prometheus."""
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
        "refresh": 1,
    }


def choice(name: str, label: str, metric: str) -> Json:
    """A choice among the values of a label, all of them at first."""
    query = f"label_values({metric}, {name})"
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": PROMETHEUS,
        "definition": query,
        "query": {"query": query, "refId": name},
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": ["All"], "value": ["$__all"]},
        "refresh": 2,
        "sort": 3,
    }


def dashboard_json(dashboard: Dashboard) -> Json:
    """As Grafana imports and provisions it."""
    return page_json(
        dashboard.uid, dashboard.title, dashboard.means, list(_panels(dashboard.rows)), dashboard.variables
    )


def page_json(uid: str, title: str, means: str, panels: Sequence[Json], variables: Sequence[Json]) -> Json:
    """A page of these panels."""
    return {
        "uid": uid,
        "title": title,
        "description": means,
        "tags": ["tallymill"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "timezone": "browser",
        "templating": {"list": list(variables)},
        "links": [
            {"type": "dashboards", "title": "tallymill", "tags": ["tallymill"], "asDropdown": True, "keepTime": True}
        ],
        "panels": list(panels),
    }


def _panels(rows: Sequence[Row]) -> Iterator[Json]:
    number, y = 0, 0
    for row in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
        }
        x, y, lowest = 0, y + 1, y + 1
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y = 0, lowest
            number += 1
            yield _panel(panel, number, {"x": x, "y": y, "w": panel.width, "h": panel.height})
            x, lowest = x + panel.width, max(lowest, y + panel.height)
        y = lowest


def _panel(panel: Panel, number: int, place: Json) -> Json:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.means,
        "datasource": PROMETHEUS,
        "gridPos": place,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _OPTIONS[panel.kind],
        "targets": [_target(panel, query, REFERENCES[i]) for i, query in enumerate(panel.queries)],
        **({"transformations": _table_of_labels(panel)} if panel.kind == "table" else {}),
    }


def _defaults(panel: Panel) -> Json:
    steps = [{"color": GREEN, "value": None}, *({"color": color, "value": value} for value, color in panel.steps)]
    defaults: Json = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    if panel.kind == "timeseries":
        defaults["min"] = panel.least
        defaults["color"] = {"mode": "palette-classic"}
        defaults["custom"] = {"lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": False}
    else:
        defaults["color"] = {"mode": "thresholds"}
    return defaults


_OPTIONS: Final[Mapping[str, Json]] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "colorMode": "background",
        "graphMode": "none",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "auto",
    },
    "table": {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}},
}


def _table_of_labels(panel: Panel) -> Sequence[Json]:
    """One row for each set of labels, one column for each query; without the time, which is the same in each row."""
    values = ["Value"] if len(panel.queries) == 1 else [f"Value #{one}" for one in REFERENCES]
    names = dict(zip(values, [query.legend for query in panel.queries], strict=False))
    return (
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": names}},
    )


def _target(panel: Panel, query: Query, reference: str) -> Json:
    is_instant = panel.kind == "table"
    return {
        "refId": reference,
        "datasource": PROMETHEUS,
        "editorMode": "code",
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "range": not is_instant,
        "instant": is_instant,
        "exemplar": panel.kind == "timeseries",
        "format": "table" if is_instant else "time_series",
    }
