"""The schemas in crds/, for kubeconform: from the CRDs in the Go modules of KEDA and prometheus-operator.

`python -m tests.deploy.chart.crds` writes them anew. They are strict: a property that a CRD does not name is an error,
as kubectl reports it with `--validate=strict`. Descriptions are left out.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).parent
FOLDER: Final = HERE / "crds"

KEDA: Final = "github.com/kedacore/keda/v2@v2.21.0"
PROMETHEUS: Final = "github.com/prometheus-operator/prometheus-operator@v0.92.1"

CRDS: Final = (
    (KEDA, "config/crd/bases/keda.sh_scaledobjects.yaml"),
    (KEDA, "config/crd/bases/keda.sh_triggerauthentications.yaml"),
    (PROMETHEUS, "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml"),
    (PROMETHEUS, "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"),
)

# What has no meaning for a validator of JSON Schema, or only a server can decide.
LEFT_OUT: Final = ("description", "x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-map-type")


def strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A structural schema of a CRD as JSON Schema."""
    found = {name: value for name, value in schema.items() if name not in LEFT_OUT}
    if found.pop("x-kubernetes-int-or-string", False):
        return {"type": ["integer", "string"]}
    open_ended = found.pop("x-kubernetes-preserve-unknown-fields", False)
    if "properties" in found:
        found["properties"] = {name: strict(one) for name, one in found["properties"].items()}
        if not open_ended and "additionalProperties" not in found:
            found["additionalProperties"] = False
    for name in ("items", "additionalProperties"):
        if isinstance(found.get(name), dict):
            found[name] = strict(found[name])
    if found.pop("nullable", False):
        found["type"] = [found["type"], "null"]
    return found


def file_name(group: str, kind: str, version: str) -> str:
    """As kubeconform's `{{.Group}}-{{.ResourceKind}}_{{.ResourceAPIVersion}}.json` has it."""
    return f"{group}-{kind.lower()}_{version}.json"


def schemas_of(crd: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The schema of each version by file name."""
    spec = crd["spec"]
    return {
        file_name(spec["group"], spec["names"]["kind"], version["name"]): strict(version["schema"]["openAPIV3Schema"])
        for version in spec["versions"]
    }


def _folder_of(module: str) -> Path:
    command = ["go", "mod", "download", "-json", module]
    ran = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True)
    return Path(json.loads(ran.stdout)["Dir"])


def write() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    for module, name in CRDS:
        crd = yaml.safe_load((_folder_of(module) / name).read_text())
        for file, schema in schemas_of(crd).items():
            (FOLDER / file).write_text(json.dumps(schema, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    write()
