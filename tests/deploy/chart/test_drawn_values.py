"""Any combination of values: Helm renders it, Kubernetes accepts it, and every rule of the other tests holds."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from tests.deploy.chart import test_kinds, test_objects, test_pods, test_settings
from tests.deploy.chart.cases import MONITORS, PLACED, SECRETS, with_settings
from tests.deploy.chart.objects import deployments, environment, pod_of, workloads
from tests.deploy.chart.render import Document, documents, text_of
from tests.deploy.chart.test_lint import NEWEST, passes, strictly
from tests.deploy.chart.tools import GoTools, Tools
from tests.examples import examples

pytestmark = pytest.mark.slow

RULES: Final[tuple[Callable[[list[Document]], None], ...]] = (
    test_kinds.test_each_kind_of_pod_is_replaced_in_its_own_way,
    test_objects.test_names_are_unique_and_in_one_namespace,
    test_objects.test_a_deployment_selects_its_own_pods_alone,
    test_objects.test_a_service_leads_to_a_port_of_one_deployment,
    test_objects.test_more_than_one_replica_has_a_budget,
    test_objects.test_what_runs_before_the_install_needs_nothing_of_it,
    test_objects.test_workers_scale_by_the_lag_of_their_groups,
    test_objects.test_the_scaler_gets_what_the_worker_connects_with,
    test_pods.test_pods_are_restricted,
    test_pods.test_a_pod_writes_to_tmp_and_reads_its_secret,
    test_pods.test_every_process_has_three_probes,
    test_pods.test_pods_spread_over_nodes_and_zones,
    test_settings.test_no_secret_is_in_a_manifest,
)

# Good names of objects, which YAML reads as something else where the chart does not quote them.
odd_names = st.sampled_from(["tallymill", "true", "null", "on", "123", "1e3", "0x1f", "1.5", "2001-01-01"])
odd_texts = st.sampled_from(["", "x", "true", "~", "1e3", "a: b", "{{ .Release }}", "'", '"', "#", "- a", "ünïcode"])
replicas = st.integers(1, 3)
sasl = st.fixed_dictionaries(
    {"security_protocol": st.sampled_from(["SASL_SSL", "SASL_PLAINTEXT"])},
    optional={
        "sasl_mechanism": st.sampled_from(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]),
        "sasl_username": odd_texts.filter(bool),
        "ssl_cafile": odd_names.map(lambda name: f"{SECRETS}/{name}"),
    },
)
kafka: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({}, optional={"partitions": st.integers(1, 10_000), "group": odd_names}),
    sasl,
)
component = st.fixed_dictionaries(
    {},
    optional={
        "existingSecret": odd_names,
        "priorityClassName": odd_names,
        "podAnnotations": st.dictionaries(odd_names, odd_texts, max_size=2),
        "nodeSelector": st.dictionaries(odd_names, odd_names, max_size=2),
        "tolerations": st.just(PLACED["tolerations"]),
        "affinity": st.just(PLACED["affinity"]),
    },
)
served = st.builds(
    lambda common, more: {**common, **more},
    component,
    st.fixed_dictionaries({}, optional={"replicas": replicas, "preStopSeconds": st.sampled_from([0, 7])}),
)
own = st.fixed_dictionaries({}, optional={"replicas": st.none() | replicas})
workers = st.builds(
    lambda common, more: {**common, **more},
    component,
    st.fixed_dictionaries({}, optional={"perApi": st.booleans(), "replicas": replicas, "games": own}),
)
switched = st.builds(lambda common, enabled: {**common, "enabled": enabled}, component, st.booleans())
values_of_charts = st.builds(
    lambda kafka, more: with_settings({"kafka": kafka}, **more),
    kafka,
    st.fixed_dictionaries(
        {},
        optional={
            "ingress": served,
            "console": served,
            "worker": workers,
            "canary": switched,
            "init": switched,
            "existingSecret": odd_names,
            "image": st.fixed_dictionaries({}, optional={"pullSecrets": st.lists(odd_names, max_size=2)}),
            "secretRevision": odd_texts | st.integers(0, 10**15),
            "extraEnv": st.dictionaries(st.sampled_from(["NO", "Y", "OTEL_SERVICE_NAME"]), odd_texts, max_size=2),
            "autoscaling": st.fixed_dictionaries({"enabled": st.booleans()}),
            "monitoring": st.just(MONITORS),
            "networkPolicy": st.fixed_dictionaries({"enabled": st.booleans()}),
        },
    ),
)

# What chance draws too seldom.
RARE: Final = with_settings(
    {"kafka": {"security_protocol": "SASL_SSL", "ssl_cafile": f"{SECRETS}/true"}},
    autoscaling={"enabled": True},
    worker={"existingSecret": "on"},
    extraEnv={"NO": "x", "Y": "~"},
)


def test_every_combination_of_values_is_good(tools: Tools, go_tools: GoTools) -> None:
    """And what is given is what the objects have, whatever YAML would make of it without quotes."""
    texts: list[str] = []

    # To shrink an example takes minutes, since each try is a run of Helm.
    @settings(max_examples=examples(30), phases=(Phase.explicit, Phase.generate))
    @example(RARE, "true")
    @given(values_of_charts, odd_names.filter(lambda name: name[0].isalpha() and name.isalnum()))
    def holds(values: Mapping[str, Any], release: str) -> None:
        text = text_of(tools.helm, values, name=release)
        found = documents(text)
        for rule in RULES:
            rule(found)
        texts.append(text)
        for workload in workloads(found):
            assert release == pod_of(workload)["metadata"]["labels"]["app.kubernetes.io/instance"]
        for deployment in deployments(found):
            _has(values, deployment)
            assert values.get("extraEnv", {}).items() <= environment(deployment, found).items()

    holds()
    passes([*strictly(tools, go_tools, NEWEST), "-"], "\n---\n".join(texts))


def _has(values: Mapping[str, Any], deployment: Document) -> None:
    """The pod has the names and annotations of its component's values."""
    pod = pod_of(deployment)
    given = values.get(pod["spec"]["containers"][0]["name"], {})
    for name in ("priorityClassName", "nodeSelector", "tolerations", "affinity"):
        assert (given.get(name) or None) == pod["spec"].get(name), name
    assert given.get("podAnnotations", {}).items() <= pod["metadata"]["annotations"].items()
    secret = given.get("existingSecret") or values.get("existingSecret", "tallymill")
    assert secret == pod["spec"]["volumes"][1]["secret"]["secretName"]
    pulled = [one["name"] for one in pod["spec"].get("imagePullSecrets", ())]
    assert values.get("image", {}).get("pullSecrets", []) == pulled
