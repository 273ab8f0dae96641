"""Which values the chart accepts, and what it makes of them."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import jsonschema
import pytest
import yaml

from ops.chart.settings_schema import SECTIONS, URLS, secret_settings
from ops.chart.values_schema import FILE, values_schema
from ops.config import Settings, setting_names, variable_of
from ops.reference import ROOT
from tests.deploy.chart.cases import CASES, MINIMAL, MONITORS, Values, with_settings
from tests.deploy.chart.objects import deployments, leaves, of_kind, pod_of
from tests.deploy.chart.render import CHART, FOLDER, Refused, committed, documents, rendered, text_of
from tests.deploy.chart.tools import Tools

SECRET = "the text of a secret"


def accepted(values: Mapping[str, Any]) -> list[str]:
    """The errors of values, merged over the defaults as Helm does."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads(FILE.read_text())
    validator = jsonschema.Draft7Validator(schema)
    return [error.message for error in validator.iter_errors(_merged(defaults, values))]


def _merged(below: Any, above: Any) -> Any:  # noqa: ANN401 values of any kind
    if isinstance(below, dict) and isinstance(above, Mapping):
        return {
            **below,
            **{name: _merged(below[name], value) if name in below else value for name, value in above.items()},
        }
    return above


def test_the_schema_is_that_of_the_code() -> None:
    """`python -m ops.reference` writes it."""
    assert values_schema() == FILE.read_text()


def test_the_schema_knows_every_setting_but_secrets() -> None:
    """A new setting can be set as a value at once, unless it is a secret, or the chart decides it."""
    properties = json.loads(FILE.read_text())["properties"]["settings"]["properties"]
    known = {f"{section}.{name}" for section, found in properties.items() for name in found["properties"]}
    secret = set(secret_settings())
    assert not known & secret
    assert {"mongodb.uri", "signing.keys", "kafka.sasl_password", "console.session_keys", "canary.token"} <= secret
    missing = {*setting_names()} - known - secret
    assert {
        "tokens.private_key",
        *("ingress.host", "ingress.port", "worker.apis", "worker.metrics_host", "worker.metrics_port"),
        *("console.host", "console.port", "canary.metrics_host", "canary.metrics_port"),
    } == missing
    assert set(Settings.model_fields) - {"signing"} == set(SECTIONS)


@pytest.mark.parametrize("case", CASES)
def test_the_schema_accepts_what_is_right(case: str) -> None:
    assert [] == accepted(CASES[case])


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 3},
        {"ingress": {"replica": 3}},
        {"ingress": {"replicas": 0}},
        {"ingress": {"port": 80}},
        {"image": {"digest": "sha256:1"}},
        {"autoscaling": {"scaleDown": {"fast": True}}},
        {"networkPolicy": {"kafkaPorts": ["9092"]}},
        {"settings": {"kafka": {"groups": "a"}}},
        {"settings": {"kafka": {"partitions": 0}}},
        {"settings": {"kafka": {"bootstrap_servers": "kafka"}}},
        {"settings": {"signing": {"keys": [SECRET]}}},
        {"settings": {"worker": {"metrics_port": 9400}}},
        {"settings": {"limits": {"apps": {"demo": {"max_titlez": 1}}}}},
        {"settings": {"tokens": {"jwks": '{"keys": [{"d": "private"}]}'}}},
        {"settings": {"tokens": {"introspection_url": "https://user:password@issuer.example/"}}},
        *(
            {"settings": {name.split(".")[0]: {name.split(".")[1]: "https://issuer.example/?key=secret"}}}
            for name in URLS
        ),
        *({"settings": {name.split(".")[0]: {name.split(".")[1]: SECRET}}} for name in secret_settings()),
    ],
    ids=json.dumps,
)
def test_the_schema_refuses_what_is_wrong(values: Values) -> None:
    """Also each setting that holds a secret."""
    assert accepted({**MINIMAL, **values})


def test_the_chart_has_the_version_of_the_package() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert f'version = "{chart["appVersion"]}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.slow
def test_the_manifests_are_those_of_the_chart() -> None:
    """`make manifests` writes them."""
    assert rendered() == {str(path.relative_to(FOLDER)): path.read_text() for path in committed()}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_both_versions_of_helm_make_the_same_of_it(tools: Tools, text_of_case: Callable[[str], str], case: str) -> None:
    assert documents(text_of_case(case)) == documents(text_of(tools.helm3, CASES[case]))


@pytest.mark.slow
def test_everything_that_is_wrong_is_said_at_once(tools: Tools) -> None:
    """In sentences that name the value."""
    with pytest.raises(Refused) as refused:
        text_of(tools.helm, {"extraEnv": {"TALLYMILL_MONGODB__URI": "mongodb://a:b@c/"}})
    for words in (
        "settings.kafka.bootstrap_servers: required, as host:port[,host:port]",
        "settings.tokens.issuer: required",
        "settings.tokens.audience: required",
        "settings.tokens.jwks or settings.tokens.introspection_url: required, or issuerInSecret",
        "extraEnv.TALLYMILL_MONGODB__URI: use `settings`, or the Secret",
    ):
        assert words in str(refused.value)


@pytest.mark.slow
def test_helm_refuses_a_secret(tools: Tools) -> None:
    """By the schema, before it makes a manifest."""
    with pytest.raises(Refused, match="sasl_password"):
        text_of(tools.helm, with_settings({"kafka": {"sasl_password": SECRET}}))


@pytest.mark.slow
def test_a_url_that_holds_a_secret_can_be_in_the_secret(tools: Tools) -> None:
    """Then none is in the values, where it would win."""
    tokens = {"issuer": "https://issuer.example", "audience": "tallymill"}
    kafka = {"bootstrap_servers": "kafka:9092"}
    assert text_of(tools.helm, {"settings": {"kafka": kafka, "tokens": tokens}, "issuerInSecret": True})
    with pytest.raises(Refused, match=r"issuerInSecret: settings\.tokens\.jwks or"):
        text_of(tools.helm, {**MINIMAL, "issuerInSecret": True})


@pytest.mark.slow
@pytest.mark.parametrize(("given", "annotation"), [("--set", "20261129"), ("--set-string", "20261129")])
def test_a_new_secret_revision_may_be_a_number(tools: Tools, given: str, annotation: str) -> None:
    """As `--set` makes it of digits. A long one is not written as 2e+07."""
    text = text_of(tools.helm, MINIMAL, given, "secretRevision=20261129")
    for workload in deployments(documents(text)):
        assert annotation == pod_of(workload)["metadata"]["annotations"]["tallymill/secret-revision"]


@pytest.mark.slow
def test_a_scaler_says_what_it_can_not_do(tools: Tools) -> None:
    """KEDA reads files of the Secret alone."""
    elsewhere = {"security_protocol": "SSL", "ssl_cafile": "/etc/ssl/ca.crt"}
    with pytest.raises(Refused, match=r"/etc/ssl/ca\.crt is not a file in /etc/tallymill/secrets"):
        text_of(tools.helm, with_settings({"kafka": elsewhere}, autoscaling={"enabled": True}))


@pytest.mark.slow
def test_every_value_has_an_effect(tools: Tools) -> None:
    """A long number stays a number, a list is JSON, an app keeps its case, and a digest decides."""
    objects = documents(text_of(tools.helm, CASES["everything"]))
    (monitor,) = of_kind(objects, "PodMonitor")
    assert MONITORS["podMonitor"]["labels"].items() <= monitor["metadata"]["labels"].items()
    found = set(leaves(objects))
    assert {
        *("536870912", '["https://game.example"]', '{"Demo":{"max_body_bytes":65536}}', "2.5", "33.2"),
        *(f"registry.example/tallymill@sha256:{'a' * 64}", "IfNotPresent", "of-ingress", "shared", "registry"),
        *("http://collector:4318", "high", "counts-ingress", "https://wiki.example/operations#canarylate"),
    } <= found
    assert variable_of("limits.apps") in found
