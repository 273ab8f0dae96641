"""Who may connect to whom, rule by rule: NetworkPolicies of values that name every peer, and of the defaults."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
import yaml

from tests.deploy.chart.cases import CASES, MINIMAL, with_settings
from tests.deploy.chart.conftest import documents_of_case
from tests.deploy.chart.objects import command_of, deployments, environment, name_of, of_kind
from tests.deploy.chart.render import CHART, Document, documents, text_of
from tests.deploy.chart.tools import Tools

pytestmark = pytest.mark.slow

DEFAULTS: Final = yaml.safe_load((CHART / "values.yaml").read_text())["networkPolicy"]
PROMETHEUS: Final = {
    "namespaceSelector": {},
    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
}

HTTP: Final = {"ports": [{"port": "http", "protocol": "TCP"}]}
DNS: Final = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
ISSUER: Final = {"ports": [{"port": 443, "protocol": "TCP"}]}

GIVEN: Final[Mapping[str, Any]] = CASES["everything"]["networkPolicy"]


def pods(component: str) -> dict[str, Any]:
    """A peer: the pods of a component of this release."""
    names = {"name": "tallymill", "instance": "tallymill", "component": component}
    return {"podSelector": {"matchLabels": {f"app.kubernetes.io/{name}": value for name, value in names.items()}}}


def policies(found: list[Document]) -> dict[str, Document]:
    """The spec of each policy by the end of its name: `-ingress`, `` for the one that allows nothing."""
    every = {name_of(one): one["spec"] for one in of_kind(found, "NetworkPolicy")}
    shortest = min(every, key=len)
    return {name.removeprefix(shortest): spec for name, spec in every.items()}


def servers(*kafka_ports: int, **to: Any) -> list[dict[str, Any]]:  # noqa: ANN401 peers
    """The rules for Kafka and MongoDB."""
    kafka = {"ports": [{"port": port, "protocol": "TCP"} for port in kafka_ports]}
    mongodb = {"ports": [{"port": 27_017, "protocol": "TCP"}]}
    if not to:
        return [kafka, mongodb]
    return [{**kafka, "to": to["kafka"]}, {**mongodb, "to": to["mongodb"]}]


def test_every_policy_closes_both_ways() -> None:
    """What a policy does not list as a type is open."""
    for case in ("minimal", "everything"):
        found = policies(documents_of_case(case))
        assert {"", "-init", "-ingress", "-worker", "-console"} <= found.keys()
        for name, spec in found.items():
            assert ["Ingress", "Egress"] == spec["policyTypes"], name
        assert {"policyTypes", "podSelector"} == found[""].keys()
        assert "ingress" not in found["-init"]


def test_everyone_may_connect_to_ingress_and_console_unless_peers_are_named() -> None:
    """And Prometheus alone reads the metrics of workers."""
    assert [PROMETHEUS] == DEFAULTS["monitoringFrom"]
    found = policies(documents_of_case("minimal"))
    assert [HTTP] == found["-ingress"]["ingress"] == found["-console"]["ingress"]
    assert [{**HTTP, "from": [PROMETHEUS]}] == found["-worker"]["ingress"]


def test_only_named_peers_prometheus_and_the_canary_may_connect() -> None:
    found = policies(documents_of_case("everything"))
    assert {
        "-ingress": [
            {**HTTP, "from": GIVEN["ingressFrom"]},
            {**HTTP, "from": [PROMETHEUS, pods("canary")]},
        ],
        "-console": [{**HTTP, "from": GIVEN["consoleFrom"]}, {**HTTP, "from": [PROMETHEUS]}],
        "-worker": [{**HTTP, "from": [PROMETHEUS]}],
        "-canary": [{**HTTP, "from": [PROMETHEUS]}],
    } == {name: spec["ingress"] for name, spec in found.items() if "ingress" in spec}


def test_a_pod_connects_to_its_servers_alone() -> None:
    """Names, Kafka, MongoDB; the issuer for those that check tokens. The canary knows the ingress alone."""
    found = policies(documents_of_case("minimal"))
    usual = [DNS, *servers(9092, 9093)]
    assert {"-init": usual, "-worker": usual, "-ingress": [*usual, ISSUER], "-console": [*usual, ISSUER]} == {
        name: spec["egress"] for name, spec in found.items() if "egress" in spec
    }
    named = [DNS, *servers(9094, 9092, 9093, kafka=GIVEN["kafkaTo"], mongodb=GIVEN["mongodbTo"])]
    more = GIVEN["extraEgress"]
    found = policies(documents_of_case("everything"))
    assert {
        "-init": [*named, *more],
        "-worker": [*named, *more],
        "-ingress": [*named, ISSUER, *more],
        "-console": [*named, ISSUER, *more],
        "-canary": [DNS, {**HTTP, "to": [pods("ingress")]}, *more],
    } == {name: spec["egress"] for name, spec in found.items() if "egress" in spec}


def test_what_gets_tokens_for_kafka_may_connect_to_their_endpoint(tools: Tools) -> None:
    """OAUTHBEARER: every process that connects to Kafka."""
    values = with_settings(
        {"kafka": {"oauth_token_url": "https://issuer.example/token"}}, canary={"enabled": True}, init={"enabled": True}
    )
    found = policies(documents(text_of(tools.helm, values)))
    assert {"-init", "-ingress", "-worker", "-console"} == {
        name for name, spec in found.items() if ISSUER in spec.get("egress", ())
    }


def test_the_canary_sends_to_the_service_of_the_ingress(tools: Tools) -> None:
    """In the cluster, without TLS, on the port of the Service, unless `settings.canary.url` says something else."""
    services = {"service": {"port": 8088}}
    for given, url in (({}, "http://tallymill-ingress:8088"), ({"url": "https://a.example"}, "https://a.example")):
        values = with_settings({"canary": given}, canary={"enabled": True}, ingress=services)
        found = documents(text_of(tools.helm, values))
        (canary,) = (one for one in deployments(found) if command_of(one) == "canary")
        assert url == environment(canary, found)["TALLYMILL_CANARY__URL"]
        assert ("tallymill-ingress", 8088) in {
            (name_of(one), one["spec"]["ports"][0]["port"]) for one in of_kind(found, "Service")
        }


def test_what_is_switched_off_has_no_policy(tools: Tools) -> None:
    """Or `helm install` would leave the policy of a Job that there is not."""
    values = {**MINIMAL, "init": {"enabled": False}}
    assert {"", "-ingress", "-worker", "-console"} == policies(documents(text_of(tools.helm, values))).keys()


def test_hooks_are_those_of_init_and_its_policy() -> None:
    """The policy is there first. Both are replaced by the next release, and stay until then."""
    found = {
        (one["kind"], name_of(one)): one["metadata"]["annotations"]
        for one in documents_of_case("minimal")
        if one["metadata"].get("annotations") and one["kind"] != "Pod"
    }
    before = {"helm.sh/hook": "pre-install,pre-upgrade", "helm.sh/hook-delete-policy": "before-hook-creation"}
    assert {
        ("Job", "tallymill-init"): {**before, "helm.sh/hook-weight": "0"},
        ("NetworkPolicy", "tallymill-init"): {**before, "helm.sh/hook-weight": "-10"},
    } == found
