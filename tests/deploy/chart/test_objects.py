"""How the objects of the chart fit together: selectors, budgets, network, monitors, scaling, security."""

from collections.abc import Callable
from typing import Any, Final

import pytest
import yaml

from ops.reference import ROOT
from schemas.settings import KafkaSettings
from tests.deploy.chart.objects import (
    SECRETS_FOLDER,
    command_of,
    container_of,
    deployments,
    environment,
    is_hook,
    name_of,
    of_kind,
    pod_of,
    selected,
    selects,
    workloads,
)
from tests.deploy.chart.render import CHART, NAMESPACE, Document

PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
DNS_PORT: Final = 53

SASL: Final = {
    "PLAIN": "plaintext",
    "SCRAM-SHA-256": "scram_sha256",
    "SCRAM-SHA-512": "scram_sha512",
}


def kafka_of(documents: list[Document]) -> KafkaSettings:
    """What the workers have. Secrets are left out, so that SASL is not whole: nothing is validated."""
    worker = next(one for one in deployments(documents) if command_of(one) == "worker")
    prefix = "TALLYMILL_KAFKA__"
    given: dict[str, Any] = {
        name.removeprefix(prefix).lower(): value
        for name, value in environment(worker, documents).items()
        if name.startswith(prefix)
    }
    given["partitions"] = int(given["partitions"])
    return KafkaSettings.model_construct(**given)


def test_names_are_unique_and_in_one_namespace(manifests: list[Document]) -> None:
    names = [(one["kind"], name_of(one)) for one in manifests]
    assert sorted(set(names)) == sorted(names)
    assert {NAMESPACE} == {one["metadata"]["namespace"] for one in manifests}


def test_every_object_says_what_it_belongs_to(manifests: list[Document]) -> None:
    """By the labels that Kubernetes recommends. Helm finds its objects by one of them."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    labels = {
        "app.kubernetes.io/name": "tallymill",
        "app.kubernetes.io/part-of": "tallymill",
        "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/version": chart["appVersion"],
        "helm.sh/chart": f"tallymill-{chart['version']}",
    }
    for one in manifests:
        assert labels.items() <= one["metadata"]["labels"].items(), name_of(one)
        assert "app.kubernetes.io/instance" in one["metadata"]["labels"]


def test_a_deployment_selects_its_own_pods_alone(manifests: list[Document]) -> None:
    """Two Deployments whose selectors overlap would fight over pods."""
    for deployment in deployments(manifests):
        assert [deployment] == selected(deployment["spec"]["selector"]["matchLabels"], manifests)


def test_a_service_leads_to_a_port_of_one_deployment(manifests: list[Document]) -> None:
    services = of_kind(manifests, "Service")
    assert {"ingress", "console"} == {command_of(selected(one["spec"]["selector"], manifests)[0]) for one in services}
    for service in services:
        (target,) = selected(service["spec"]["selector"], manifests)
        (port,) = service["spec"]["ports"]
        assert port["targetPort"] in {one["name"] for one in container_of(target)["ports"]}
        assert ("http", "TCP", "http") == (port["name"], port["protocol"], port["appProtocol"])


def test_more_than_one_replica_has_a_budget(manifests: list[Document]) -> None:
    """One of a single replica would only delay the drain of its node."""
    budgets = [
        name_of(target)
        for budget in of_kind(manifests, "PodDisruptionBudget")
        for target in selected(budget["spec"]["selector"]["matchLabels"], manifests)
    ]
    scaled = {one["spec"]["scaleTargetRef"]["name"] for one in of_kind(manifests, "ScaledObject")}
    several = [
        name_of(one) for one in deployments(manifests) if name_of(one) in scaled or one["spec"].get("replicas", 1) > 1
    ]
    assert sorted(several) == sorted(budgets)


def test_what_runs_before_the_install_needs_nothing_of_it(manifests: list[Document]) -> None:
    """The Job is a hook. It has its settings in itself, and its NetworkPolicy is an earlier hook."""
    for job in of_kind(manifests, "Job"):
        assert "pre-install,pre-upgrade" == job["metadata"]["annotations"]["helm.sh/hook"]
        assert "envFrom" not in container_of(job)
        weight = int(job["metadata"]["annotations"]["helm.sh/hook-weight"])
        for policy in of_kind(manifests, "NetworkPolicy"):
            labels = policy["spec"]["podSelector"]["matchLabels"]
            if selects(labels, pod_of(job)["metadata"]["labels"]) and "egress" in policy["spec"]:
                assert int(policy["metadata"]["annotations"]["helm.sh/hook-weight"]) < weight
                assert is_hook(policy)


def test_networks_are_closed_but_for_what_is_needed(manifests: list[Document]) -> None:
    """All pods are under the policy that allows nothing, and each under one of its own."""
    policies = of_kind(manifests, "NetworkPolicy")
    if not policies:
        pytest.skip("networkPolicy.enabled is false")
    (closed,) = (one for one in policies if not {"ingress", "egress"} & one["spec"].keys())
    assert workloads(manifests) == selected(closed["spec"]["podSelector"]["matchLabels"], manifests)
    for workload in workloads(manifests):
        (own,) = (
            one["spec"]
            for one in policies
            if one != closed
            and selects(one["spec"]["podSelector"]["matchLabels"], pod_of(workload)["metadata"]["labels"])
        )
        out = {port["port"] for rule in own["egress"] for port in rule["ports"]}
        assert DNS_PORT in out
        if command_of(workload) == "canary":
            assert "http" in out
        else:
            assert _needed_ports(workload, manifests) <= out
        if workload["kind"] == "Deployment":
            names = {one["name"] for one in container_of(workload)["ports"]}
            assert names == {port["port"] for rule in own["ingress"] for port in rule["ports"]}


def _needed_ports(workload: Document, documents: list[Document]) -> set[int]:
    """Those of all brokers and of MongoDB; and of the issuer, where tokens are checked."""
    servers = environment(workload, documents)["TALLYMILL_KAFKA__BOOTSTRAP_SERVERS"]
    brokers = {int(one.rpartition(":")[2]) for one in servers.split(",")}
    return {*brokers, 27_017, *({443} if command_of(workload) in ("ingress", "console") else ())}


def test_monitors_scrape_every_process_under_the_name_of_its_job(manifests: list[Document]) -> None:
    """The rules and dashboards use the names of jobs in prometheus.yml."""
    jobs = {one["job_name"] for one in yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]}
    for monitor in of_kind(manifests, "PodMonitor"):
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        assert ("/metrics", "15s") == (endpoint["path"], endpoint["interval"])
        (relabeling,) = endpoint["relabelings"]
        source = "__meta_kubernetes_pod_label_app_kubernetes_io_component"
        assert ([source], "job", "tallymill-$1") == (
            relabeling["sourceLabels"],
            relabeling["targetLabel"],
            relabeling["replacement"],
        )
        for deployment in deployments(manifests):
            labels = pod_of(deployment)["metadata"]["labels"]
            assert selects(monitor["spec"]["selector"]["matchLabels"], labels)
            assert f"tallymill-{labels['app.kubernetes.io/component']}" in jobs
            assert endpoint["port"] in {one["name"] for one in container_of(deployment)["ports"]}


def test_the_alerts_are_those_of_the_rules(manifests: list[Document]) -> None:
    """But for the address of the runbook."""
    text = (PROMETHEUS / "rules.yml").read_text()
    for rule in of_kind(manifests, "PrometheusRule"):
        found = rule["spec"]
        (address,) = {
            one["annotations"]["runbook_url"].partition("#")[0]
            for group in found["groups"]
            for one in group["rules"]
            if "alert" in one
        }
        assert yaml.safe_load(text.replace("docs/operations.md#", f"{address}#")) == found


def test_workers_scale_by_the_lag_of_their_groups(manifests: list[Document]) -> None:
    """The group and the topic of each API, from one worker to one for each partition."""
    kafka = kafka_of(manifests)
    triggers = []
    for scaled in of_kind(manifests, "ScaledObject"):
        spec = scaled["spec"]
        (target,) = (one for one in manifests if (one["kind"], name_of(one)) == ("Deployment", name_of(scaled)))
        assert name_of(target) == spec["scaleTargetRef"]["name"]
        assert (1, kafka.partitions) == (spec["minReplicaCount"], spec["maxReplicaCount"])
        assert spec["fallback"]["replicas"] >= 1
        down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
        assert {
            "stabilizationWindowSeconds": 600,
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 120}],
        } == down
        assert (15, 3) == (spec["pollingInterval"], spec["fallback"]["failureThreshold"])
        apis = environment(target, manifests)["TALLYMILL_WORKER__APIS"]
        assert yaml.safe_load(apis) == [one["name"] for one in spec["triggers"]]
        triggers += spec["triggers"]
    for trigger in triggers:
        given = trigger["metadata"]
        api = trigger["name"]
        assert (kafka.topic(api), kafka.group_of(api)) == (given["topic"], given["consumerGroup"])
        assert kafka.bootstrap_servers == given["bootstrapServers"]
        assert ("kafka", "AverageValue", "10000") == (trigger["type"], trigger["metricType"], given["lagThreshold"])
        # What a new group has not read is lag too.
        assert "earliest" == given["offsetResetPolicy"]
        assert ("SSL" in kafka.security_protocol) == (given["tls"] == "enable")
        sasl = SASL[kafka.sasl_mechanism] if kafka.security_protocol.startswith("SASL_") else "none"
        assert sasl == given["sasl"]
    assert len(triggers) in (0, 2)


def test_a_scaled_deployment_names_no_number_of_replicas(text_of_case: Callable[[str], str]) -> None:
    """Each upgrade would set it back. deploy/kubernetes has the number, for those who don't scale."""
    documents = list(yaml.safe_load_all(text_of_case("deploy/kubernetes")))
    assert all("replicas" in one["spec"] for one in deployments(documents))


@pytest.mark.slow
@pytest.mark.parametrize("case", ["scaled", "scaled, with SCRAM", "everything"])
def test_the_chart_leaves_the_number_to_the_scaler(text_of_case: Callable[[str], str], case: str) -> None:
    documents = [one for one in yaml.safe_load_all(text_of_case(case)) if one]
    for deployment in deployments(documents):
        assert ("replicas" in deployment["spec"]) == (command_of(deployment) != "worker")


def test_the_scaler_gets_what_the_worker_connects_with(manifests: list[Document]) -> None:
    """Of the same Secret, by the keys that the worker's settings name; the user from the worker's variables."""
    kafka = kafka_of(manifests)
    named = {one["authenticationRef"]["name"] for one in _triggers(manifests) if "authenticationRef" in one}
    assert named == {name_of(one) for one in of_kind(manifests, "TriggerAuthentication")}
    for authentication in of_kind(manifests, "TriggerAuthentication"):
        spec = authentication["spec"]
        keys = {one["parameter"]: one["key"] for one in spec["secretTargetRef"]}
        variables = {one["parameter"]: one["name"] for one in spec.get("env", ())}
        expected = {
            parameter: path.removeprefix(f"{SECRETS_FOLDER}/")
            for parameter, path in (("ca", kafka.ssl_cafile), ("cert", kafka.ssl_certfile), ("key", kafka.ssl_keyfile))
            if path and "SSL" in kafka.security_protocol
        }
        if "cert" in expected:
            expected["keyPassword"] = "KAFKA__SSL_KEY_PASSWORD"
        if kafka.security_protocol.startswith("SASL_"):
            expected["password"] = "KAFKA__SASL_PASSWORD"
            if kafka.sasl_username:
                assert {"username": "TALLYMILL_KAFKA__SASL_USERNAME"} == variables
            else:
                expected["username"] = "KAFKA__SASL_USERNAME"
        assert expected == keys
        (secret,) = {one["name"] for one in spec["secretTargetRef"]}
        for worker in (one for one in deployments(manifests) if command_of(one) == "worker"):
            assert secret == pod_of(worker)["spec"]["volumes"][1]["secret"]["secretName"]


def _triggers(documents: list[Document]) -> list[Document]:
    return [trigger for one in of_kind(documents, "ScaledObject") for trigger in one["spec"]["triggers"]]
