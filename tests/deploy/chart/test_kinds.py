"""Which objects the chart makes, and what an upgrade may change of them. Other tests loop over these objects."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import pytest

from tests.deploy.chart.cases import CASES, MINIMAL
from tests.deploy.chart.conftest import COMMITTED, RENDERED, documents_of_case
from tests.deploy.chart.objects import command_of, deployments, name_of, of_kind
from tests.deploy.chart.render import Document, documents, text_of
from tests.deploy.chart.tools import Tools

# What a case has by default, and how each case differs.
USUAL: Final = {
    "ConfigMap": 3,
    "Deployment": 3,
    "Service": 2,
    "PodDisruptionBudget": 3,
    "NetworkPolicy": 5,
    "Job": 1,
    "Pod": 1,
}
PER_API: Final = {"ConfigMap": 4, "Deployment": 4}
OTHERS: Final[Mapping[str, Mapping[str, int]]] = {
    COMMITTED: {"Pod": 0, "PodMonitor": 1, "PrometheusRule": 1, "ScaledObject": 1},
    "one Deployment for each API": PER_API,  # one of them has a single replica, so no budget
    "one of each": {"PodDisruptionBudget": 0, "NetworkPolicy": 0, "Job": 0},
    "scaled": {"ScaledObject": 1},
    "scaled, with SCRAM": {**PER_API, "PodDisruptionBudget": 4, "ScaledObject": 2, "TriggerAuthentication": 1},
    "scaled, with client certificates": {"ScaledObject": 1, "TriggerAuthentication": 1},
    "scaled, with PLAIN, the user in the Secret": {"ScaledObject": 1, "TriggerAuthentication": 1},
    "everything": {
        "ConfigMap": 5,
        "Deployment": 5,
        "PodDisruptionBudget": 4,
        "NetworkPolicy": 6,
        "PodMonitor": 1,
        "PrometheusRule": 1,
        "ScaledObject": 2,
        "TriggerAuthentication": 1,
    },
}

ONE_MORE_FIRST: Final = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
ONE_LESS_FIRST: Final = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
STRATEGIES: Final = {
    "ingress": ONE_MORE_FIRST,
    "console": ONE_MORE_FIRST,
    # A worker in addition may get no partition, and would never be ready.
    "worker": ONE_LESS_FIRST,
    # Two canaries with one token see each other's batches.
    "canary": {"type": "Recreate"},
}

# The longest name of a release that Helm takes, and of an object that every kind here may have.
RELEASE_CHARACTERS: Final = 53
NAME_CHARACTERS: Final = 63


@pytest.mark.parametrize("case", [COMMITTED, *RENDERED])
def test_each_case_has_its_objects(case: str) -> None:
    """No other kind either: no Secret, no Role, no ServiceAccount."""
    expected = {**USUAL, **OTHERS.get(case, {})}
    assert {kind: number for kind, number in expected.items() if number} == Counter(
        one["kind"] for one in documents_of_case(case)
    )


def test_each_kind_of_pod_is_replaced_in_its_own_way(manifests: list[Document]) -> None:
    for deployment in deployments(manifests):
        command = command_of(deployment)
        assert STRATEGIES[command] == deployment["spec"]["strategy"]
        if command == "canary":
            assert 1 == deployment["spec"]["replicas"]


def test_init_ends_whatever_happens(manifests: list[Document]) -> None:
    """After some tries, in minutes. Its Job stays until the next release, with its log."""
    for job in of_kind(manifests, "Job"):
        spec = job["spec"]
        assert "init" == command_of(job)
        assert (3, 300) == (spec["backoffLimit"], spec["activeDeadlineSeconds"])
        assert "Never" == spec["template"]["spec"]["restartPolicy"]
        assert "before-hook-creation" == job["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
    for pod in of_kind(manifests, "Pod"):
        assert ("doctor", "Never") == (command_of(pod), pod["spec"]["restartPolicy"])
        hook = {"helm.sh/hook": "test", "helm.sh/hook-delete-policy": "before-hook-creation"}
        assert hook.items() <= pod["metadata"]["annotations"].items()


def test_a_drain_of_nodes_takes_one_pod_at_a_time(manifests: list[Document]) -> None:
    """And any that is not ready, or a broken pod would hold up the drain."""
    for budget in of_kind(manifests, "PodDisruptionBudget"):
        assert 1 == budget["spec"]["maxUnavailable"]
        assert "AlwaysAllow" == budget["spec"]["unhealthyPodEvictionPolicy"]


@pytest.mark.slow
def test_no_value_changes_the_selector_of_a_deployment() -> None:
    """Kubernetes forbids that, so `helm upgrade` would fail. Other pods have a Deployment of another name."""
    found: dict[str, set[str]] = {}
    for case in CASES:
        for deployment in deployments(documents_of_case(case)):
            found.setdefault(name_of(deployment), set()).add(str(deployment["spec"]["selector"]))
    assert {"tallymill-worker", "tallymill-worker-games", "counts-worker-games"} <= found.keys()
    assert [] == [name for name, selectors in found.items() if len(selectors) > 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "r" * RELEASE_CHARACTERS,
        f"{'r' * 29}-{'s' * 23}",
        f"tallymill{'r' * 44}",
        f"tallymill-{'r' * 29}-{'s' * 13}",
    ],
)
def test_the_longest_name_of_a_release_fits(tools: Tools, name: str) -> None:
    """A name that is cut ends with no dash before the next part."""
    assert len(name) == RELEASE_CHARACTERS
    values = {**MINIMAL, "worker": {"perApi": True}, "canary": {"enabled": True}}
    found = [name_of(one) for one in documents(text_of(tools.helm, values, name=name))]
    assert max(map(len, found)) <= NAME_CHARACTERS
    assert [] == [one for one in found if "--" in one]
    assert 1 == len({one.removesuffix("-worker-games") for one in found if one.endswith("-worker-games")})
