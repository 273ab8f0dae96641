"""Reads of the objects in manifests what the tests compare."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from tests.deploy.chart.render import Document

SECRETS_FOLDER: Final = "/etc/tallymill/secrets"

# How the chart sleeps before SIGTERM.
SLEEP: Final = re.compile(r"time\.sleep\((\d+)\)")


def of_kind(documents: Iterable[Document], *kinds: str) -> list[Document]:
    return [one for one in documents if one["kind"] in kinds]


def name_of(document: Document) -> str:
    return str(document["metadata"]["name"])


def pod_of(document: Document) -> Document:
    """The pod of a Deployment, a Job or a Pod, as metadata and spec."""
    template: Document = document if document["kind"] == "Pod" else document["spec"]["template"]
    return template


def workloads(documents: Iterable[Document]) -> list[Document]:
    """All that makes pods. None is a mistake: a loop over nothing would prove nothing."""
    found = of_kind(documents, "Deployment", "Job", "Pod")
    assert found
    return found


def deployments(documents: Iterable[Document]) -> list[Document]:
    """Every chart has some."""
    found = of_kind(documents, "Deployment")
    assert found
    return found


def container_of(document: Document) -> Document:
    """The only one."""
    (container,) = pod_of(document)["spec"]["containers"]
    found: Document = container
    return found


def command_of(document: Document) -> str:
    (command,) = container_of(document)["args"]
    return str(command)


def environment(document: Document, documents: Iterable[Document]) -> dict[str, str]:
    """The variables of the container, also those of its ConfigMap."""
    container = container_of(document)
    maps = {name_of(one): one["data"] for one in of_kind(documents, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        found |= maps[source["configMapRef"]["name"]]
    return found | {one["name"]: one["value"] for one in container.get("env", ())}


def pre_stop_seconds(document: Document) -> int:
    hook = container_of(document).get("lifecycle", {}).get("preStop")
    if not hook:
        return 0
    found = SLEEP.search(hook["exec"]["command"][-1])
    assert found
    return int(found[1])


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether the labels have all that the selector names."""
    return selector.items() <= labels.items()


def selected(selector: Mapping[str, Any], documents: Iterable[Document]) -> list[Document]:
    """The workloads whose pods a selector selects."""
    return [one for one in workloads(documents) if selects(selector, pod_of(one)["metadata"]["labels"])]


def is_hook(document: Document) -> bool:
    return "helm.sh/hook" in document["metadata"].get("annotations", {})


def leaves(value: object) -> Iterator[str]:
    """Every key and every text in it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from leaves(inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from leaves(inner)
    else:
        yield str(value)
