"""deploy/grafana: the dashboards are those of ops/dashboards, name only what exists, and need no plug-in but one."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from ops.dashboards.counts import COLUMNS, INFINITY, QUERY, ROWS
from ops.dashboards.files import FOLDER, OF_PROMETHEUS, dashboard_files
from schemas.wire.console_replies import CountRow, CountsReply
from tests.deploy.promql import undocumented
from tests.deploy.test_rules import recorded

Json = dict[str, Any]

# Panels that Grafana itself brings.
CORE = {"row", "timeseries", "stat", "table"}
GRAFANA_VARIABLES = {"__rate_interval", "__from", "__to"}


def pages() -> dict[str, Json]:
    return {file.name: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))}


def panels_of(page: Json) -> Iterator[Json]:
    yield from (panel for panel in page["panels"] if panel["type"] != "row")


ALL = [(name, panel) for name, page in pages().items() for panel in panels_of(page)]
OF_METRICS = {f"{name}: {panel['title']}": panel for name, panel in ALL if name in OF_PROMETHEUS}


def test_the_files_are_written_by_the_generator() -> None:
    """`python -m ops.reference` writes them."""
    assert dashboard_files() == {file.name: file.read_text() for file in FOLDER.iterdir()}


def test_links_to_a_dashboard_stay_valid() -> None:
    """A uid is part of each bookmark."""
    assert {
        "overview.json": "tallymill-overview",
        "ingress.json": "tallymill-ingress",
        "workers.json": "tallymill-workers",
        "counts.json": "tallymill-counts",
    } == {name: page["uid"] for name, page in pages().items()}


@pytest.mark.parametrize(("name", "page"), pages().items(), ids=list(pages()))
def test_each_panel_has_a_place_a_text_and_an_id_of_its_own(name: str, page: Json) -> None:
    """And no two panels overlap."""
    taken: Counter[tuple[int, int]] = Counter()
    for panel in page["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        taken.update((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"]))
    assert [] == [place for place, times in taken.items() if times > 1]
    ids = [panel["id"] for panel in page["panels"]]
    assert len(ids) == len(set(ids))
    assert all(panel["title"] and panel["description"] for panel in panels_of(page)), name


@pytest.mark.parametrize("panel", OF_METRICS.values(), ids=OF_METRICS)
def test_every_metric_and_label_of_a_panel_is_documented(panel: Json) -> None:
    """A metric that is renamed takes its panels along."""
    assert panel["targets"]
    for target in panel["targets"]:
        assert [] == undocumented(target["expr"], recorded())
        legend = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        assert all(re.search(rf"\b{label}\b", target["expr"]) for label in legend - {"instance", "server", "api"})


@pytest.mark.parametrize(("name", "page"), pages().items(), ids=list(pages()))
def test_the_data_source_is_a_variable_and_every_variable_is_declared(name: str, page: Json) -> None:
    """So that a page works in every Grafana."""
    kind = "prometheus" if name in OF_PROMETHEUS else INFINITY["type"]
    variables = {one["name"]: one for one in page["templating"]["list"]}
    assert ("datasource", kind) == (variables["datasource"]["type"], variables["datasource"]["query"])
    sources = [one["datasource"] for panel in panels_of(page) for one in (panel, *panel["targets"])]
    assert [{"type": kind, "uid": "${datasource}"}] * len(sources) == sources
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(page["panels"])))
    assert used <= variables.keys() | GRAFANA_VARIABLES
    assert variables.keys() <= used


def test_no_panel_needs_a_plug_in() -> None:
    assert {panel["type"] for page in pages().values() for panel in page["panels"]} <= CORE


def test_the_counts_are_read_as_the_console_writes_them() -> None:
    """The field with the rows, and their columns."""
    assert ROWS in CountsReply.model_fields
    assert COLUMNS.keys() == CountRow.model_fields.keys()
    assert QUERY.startswith("/v1/counts?")


def test_the_provisioning_files_can_be_read() -> None:
    """And name a place for the dashboards, and a Prometheus."""
    folder = FOLDER.parent / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "tallymill.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((folder / "dashboards" / "tallymill.yml").read_text())["providers"]
    assert ("prometheus", "file") == (source["type"], provider["type"])
