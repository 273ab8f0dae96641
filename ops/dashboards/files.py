"""The files of deploy/grafana/dashboards."""

import json
from typing import Final

from ops.dashboards.counts import counts_json
from ops.dashboards.grafana import Dashboard, dashboard_json
from ops.dashboards.ingress import INGRESS
from ops.dashboards.overview import OVERVIEW
from ops.dashboards.workers import WORKERS
from ops.file_map import ROOT

FOLDER: Final = ROOT / "deploy" / "grafana" / "dashboards"

OF_PROMETHEUS: Final[dict[str, Dashboard]] = {
    "overview.json": OVERVIEW,
    "ingress.json": INGRESS,
    "workers.json": WORKERS,
}


def dashboard_files() -> dict[str, str]:
    """The text of each file by its name."""
    pages = {name: dashboard_json(one) for name, one in OF_PROMETHEUS.items()} | {"counts.json": counts_json()}
    return {name: json.dumps(page, indent=2) + "\n" for name, page in pages.items()}


def write_dashboards() -> None:
    """Write all of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in dashboard_files().items():
        (FOLDER / name).write_text(text)
