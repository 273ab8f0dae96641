"""What Helm makes of the chart. `python -m tests.deploy.chart.render` writes deploy/kubernetes (`make manifests`)."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from ops.local.servers.fetch import FetchError
from ops.reference import ROOT
from tests.deploy.chart.cases import Values
from tests.deploy.chart.tools import tools

CHART: Final = ROOT / "deploy" / "chart"
FOLDER: Final = ROOT / "deploy" / "kubernetes"
# In a folder of its own: `kubectl apply -f deploy/kubernetes` reads only objects.
VALUES: Final = FOLDER / "source" / "values.yaml"
NAMESPACE: Final = "tallymill"
HEADER: Final = (
    "# Rendered from deploy/chart with source/values.yaml, by `make manifests`. Change the chart, not this file.\n"
)

# A file that needs a CRD is in a folder of its own, so that `kubectl apply -f deploy/kubernetes` needs none.
OPTIONAL: Final = {
    "pod-monitor": "monitoring",
    "prometheus-rule": "monitoring",
    "autoscaling": "autoscaling",
}
# `init` has to end first.
FIRST: Final = {"init": "init"}

Document = dict[str, Any]


class Refused(Exception):
    """Helm did not render. The message is Helm's."""


def text_of(helm: str, values: Values | Path, *options: str, name: str = "tallymill") -> str:
    """The manifests as text. Raises Refused."""
    # JSON quotes every text. PyYAML writes `1e3` without quotes, and Helm reads a number.
    given = values.read_text() if isinstance(values, Path) else json.dumps(values)
    command = [helm, "template", name, str(CHART), "--namespace", NAMESPACE, "--values", "-", *options]
    ran = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise Refused(ran.stderr)
    return ran.stdout


def documents(text: str) -> list[Document]:
    """The objects of manifests."""
    return [one for one in yaml.load_all(text, yaml.CSafeLoader) if one]


def rendered() -> dict[str, str]:
    """The content of each file of deploy/kubernetes by its path there."""
    helm = tools().helm
    usual = by_template(text_of(helm, VALUES, "--skip-tests"))
    scaled = by_template(text_of(helm, VALUES, "--skip-tests", "--set", "autoscaling.enabled=true"))
    chosen = {**usual, "autoscaling": scaled["autoscaling"]}
    return {_path(name): HEADER + "".join(texts) for name, texts in sorted(chosen.items())}


def _path(template: str) -> str:
    folder = OPTIONAL.get(template) or FIRST.get(template)
    return f"{folder}/{template}.yaml" if folder else f"{template}.yaml"


def by_template(text: str) -> dict[str, list[str]]:
    """The objects of each template, in Helm's order, as text."""
    found: dict[str, list[str]] = {}
    for name, content in _parts(text):
        found.setdefault(name, []).append(f"---\n{content.strip()}\n")
    return found


def _parts(text: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^---\n", text, flags=re.MULTILINE):
        if found := re.match(r"# Source: tallymill/templates/([\w/-]+)\.yaml\n", part):
            yield found[1], part[found.end() :]


def write() -> None:
    """Write deploy/kubernetes, but not values.yaml."""
    files = rendered()
    for path in committed():
        path.unlink()
    for name, text in files.items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(text)


def committed() -> Sequence[Path]:
    """The rendered files as they are."""
    return [path for path in sorted(FOLDER.rglob("*.yaml")) if path != VALUES]


if __name__ == "__main__":
    try:
        write()
    except (FetchError, Refused) as error:
        sys.exit(str(error))
