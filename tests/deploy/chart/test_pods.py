"""What every pod of the chart is: restricted, with probes, spread, and started again by a change of its settings."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.chart.cases import MINIMAL, PLACED, with_settings
from tests.deploy.chart.objects import (
    SECRETS_FOLDER,
    command_of,
    container_of,
    deployments,
    name_of,
    pod_of,
    pre_stop_seconds,
    selected,
    workloads,
)
from tests.deploy.chart.render import CHART, Document, documents, text_of
from tests.deploy.chart.tools import Tools
from tests.deploy.image.dockerfile import DOCKERFILE, stages

USER: Final = 65_532
OWN: Final = {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "seccompProfile": {"type": "RuntimeDefault"}}
# With `fsGroup` the process can read its Secret, whose files are not for everyone.
POD_SECURITY: Final = {**OWN, "fsGroup": USER, "fsGroupChangePolicy": "OnRootMismatch"}
CONTAINER_SECURITY: Final = {
    **OWN,
    "privileged": False,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
MORE_RIGHTS: Final = {
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "serviceAccountName",
    "initContainers",
    "shareProcessNamespace",
}
LIMITED: Final = {"cpu", "memory", "ephemeral-storage"}

# A process starts in a second or two. On a busy node it may take a minute.
START_SECONDS: Final = 120
# So long a busy process may not answer before it is restarted.
BUSY_SECONDS: Final = 30
# So soon a process that lost its servers gets no new connections.
OUT_SECONDS: Final = 15


def test_pods_are_restricted(manifests: list[Document]) -> None:
    """The Pod Security Standard `restricted`, a read-only root, no token, no variables of other Services."""
    for workload in workloads(manifests):
        spec, container = pod_of(workload)["spec"], container_of(workload)
        assert (False, False) == (spec["automountServiceAccountToken"], spec["enableServiceLinks"])
        assert not MORE_RIGHTS & spec.keys()
        assert POD_SECURITY == spec["securityContext"]
        assert CONTAINER_SECURITY == container["securityContext"]
        assert LIMITED == container["resources"]["requests"].keys() == container["resources"]["limits"].keys()


def test_a_pod_asks_for_what_the_values_of_its_component_say(manifests: list[Document]) -> None:
    """`helm test` as `init`."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for workload in workloads(manifests):
        component = pod_of(workload)["metadata"]["labels"]["app.kubernetes.io/component"]
        assert values[component]["resources"] == container_of(workload)["resources"]


def test_a_pod_writes_to_tmp_and_reads_its_secret(manifests: list[Document]) -> None:
    """The node keeps /tmp. Its size is part of what the pod asks for."""
    for workload in workloads(manifests):
        volumes = {one["name"]: one for one in pod_of(workload)["spec"]["volumes"]}
        mounts = {one["mountPath"]: one for one in container_of(workload)["volumeMounts"]}
        assert {"/tmp", SECRETS_FOLDER} == mounts.keys()  # noqa: S108 the pod's own
        assert {"sizeLimit": "64Mi"} == volumes[mounts["/tmp"]["name"]]["emptyDir"]  # noqa: S108
        assert mounts[SECRETS_FOLDER]["readOnly"]
        assert 0o440 == volumes[mounts[SECRETS_FOLDER]["name"]]["secret"]["defaultMode"]


def test_every_process_has_three_probes(manifests: list[Document]) -> None:
    """A start may be slow, a busy process is not restarted, and one that is not ready is soon left out."""
    for deployment in deployments(manifests):
        container = container_of(deployment)
        start, live, ready = (container[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness"))
        assert ["/livez", "/livez", "/readyz"] == [one["httpGet"]["path"] for one in (start, live, ready)]
        assert start["periodSeconds"] * start["failureThreshold"] >= START_SECONDS
        assert live["periodSeconds"] * live["failureThreshold"] >= BUSY_SECONDS
        assert ready["periodSeconds"] * ready["failureThreshold"] + ready["timeoutSeconds"] <= OUT_SECONDS


def test_pods_spread_over_nodes_and_zones(manifests: list[Document]) -> None:
    """Also those of one version during an upgrade. They start although a node or a zone is missing."""
    for deployment in deployments(manifests):
        rules = pod_of(deployment)["spec"]["topologySpreadConstraints"]
        assert ["kubernetes.io/hostname", "topology.kubernetes.io/zone"] == [one["topologyKey"] for one in rules]
        for rule in rules:
            assert deployment in selected(rule["labelSelector"]["matchLabels"], manifests)
            assert (1, "ScheduleAnyway") == (rule["maxSkew"], rule["whenUnsatisfiable"])
            assert ["pod-template-hash"] == rule["matchLabelKeys"]


def checksums(tools: Tools, values: Mapping[str, Any]) -> dict[str, str]:
    """The annotation of the settings, by Deployment."""
    return {
        name_of(one): pod_of(one)["metadata"]["annotations"]["tallymill/settings"]
        for one in deployments(documents(text_of(tools.helm, values)))
    }


@pytest.mark.slow
def test_a_change_of_a_setting_starts_again_the_pods_that_read_it(tools: Tools) -> None:
    """And no others. A change of the image's tag is in the pod's template itself."""
    before = checksums(tools, MINIMAL)
    every = {"tallymill-ingress", "tallymill-worker", "tallymill-console"}
    for changed, restarted in (
        ({}, set()),
        ({"kafka": {"group": "mine"}}, every),
        ({"limits": {"max_updates_per_request": 7}}, every - {"tallymill-console"}),
        ({"console": {"drain_seconds": 6}}, {"tallymill-console"}),
    ):
        after = checksums(tools, with_settings(changed))
        assert before.keys() == after.keys() == every
        assert restarted == {name for name, checksum in after.items() if checksum != before[name]}, changed


@pytest.mark.slow
def test_each_pod_is_placed_by_the_values_of_its_component(text_of_case: Callable[[str], str]) -> None:
    """Also those of `init` and `helm test`. `kubectl logs` and `exec` choose the only container by its name."""
    for workload in workloads(documents(text_of_case("everything"))):
        pod, container = pod_of(workload), container_of(workload)
        assert PLACED == {
            **{name: pod["spec"][name] for name in PLACED if name != "podAnnotations"},
            "podAnnotations": {"team": pod["metadata"]["annotations"]["team"]},
        }
        if workload["kind"] == "Deployment":
            assert container["name"] == pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"]
            assert 5 == workload["spec"]["revisionHistoryLimit"]


def test_a_pod_waits_before_its_sigterm_with_what_the_image_has(manifests: list[Document]) -> None:
    """The interpreter beside its entry point. Workers take no connections, so they do not wait."""
    entrypoint = stages(DOCKERFILE.read_text())[-1].entrypoint or []
    for deployment in deployments(manifests):
        hook = container_of(deployment).get("lifecycle", {})
        if pre_stop_seconds(deployment):
            assert [str(Path(entrypoint[0]).with_name("python")), "-c"] == hook["preStop"]["exec"]["command"][:2]
        assert command_of(deployment) in ("ingress", "console") or hook == {}


@pytest.mark.slow
def test_an_image_that_can_change_is_pulled_again(tools: Tools) -> None:
    """A tag may be another image tomorrow, a digest may not. `pullPolicy` decides if it is set."""
    digest = {"digest": f"sha256:{'a' * 64}"}
    for image, expected in (({}, "Always"), (digest, "IfNotPresent"), ({**digest, "pullPolicy": "Always"}, "Always")):
        found = workloads(documents(text_of(tools.helm, {**MINIMAL, "image": image})))
        assert {expected} == {container_of(one)["imagePullPolicy"] for one in found}
