"""Which metrics and labels an expression of PromQL names, and which docs/metrics.md has."""

import re
from functools import cache
from typing import NamedTuple

from ops.reference import METRICS_PAGE

# Set by Prometheus, or by the client library for a histogram.
OF_PROMETHEUS = {"instance", "job", "le", "alertname", "alertstate", "severity"}

METRIC = re.compile(r"(?<![\w:])((?:tallymill|process|python)[\w:]*|up|ALERTS)\s*(?:\{([^}]*)\})?")
MATCHER = re.compile(r"([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
ROW = re.compile(r"^\| `([\w:]+)` \| (\w+) \| ([^|]*) \|", re.MULTILINE)


class Names(NamedTuple):
    """Of one expression: its metrics with the labels that are matched, and the labels that it groups by."""

    metrics: dict[str, set[str]]
    grouping: set[str]


def names_of(expression: str) -> Names:
    """The names of an expression. A variable of Grafana in a matcher is a value."""
    texts = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    grouping = {label.strip() for found in GROUPING.findall(texts) for label in found.split(",") if label.strip()}
    metrics: dict[str, set[str]] = {}
    for name, matchers in METRIC.findall(GROUPING.sub("", texts)):
        metrics.setdefault(name, set()).update(MATCHER.findall(matchers))
    return Names(metrics, grouping)


@cache
def documented() -> dict[str, set[str]]:
    """The metrics of docs/metrics.md, as a series is named, with their labels."""
    found: dict[str, set[str]] = {"up": set(), "ALERTS": {"alertname", "alertstate"}}
    for name, kind, labels in ROW.findall(METRICS_PAGE.read_text()):
        own = {label.strip() for label in labels.split(",") if label.strip()}
        series = [f"{name}_{end}" for end in ("bucket", "sum", "count")] if kind == "histogram" else [name]
        for one in series:
            found[one] = found.get(one, set()) | own
    return found


def undocumented(expression: str, recorded: dict[str, set[str]]) -> list[str]:
    """What an expression names and docs/metrics.md does not. `recorded`: the labels of recording rules."""
    known, names = documented() | recorded, names_of(expression)
    wrong = [name for name in names.metrics if name not in known]
    wrong += [
        f"{name}{{{label}}}"
        for name, labels in names.metrics.items()
        if name in known
        for label in labels - known[name] - OF_PROMETHEUS
    ]
    of_all = set().union(*(known.get(name, set()) for name in names.metrics)) | OF_PROMETHEUS
    return wrong + [f"by ({label})" for label in names.grouping - of_all]
