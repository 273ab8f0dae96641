"""What Kubernetes puts into the environment is no setting, and no misspelt one either."""

import json
import os
import string
from collections.abc import Mapping

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ops.commands.config import show
from ops.config import DATA_VARIABLE, PREFIX, SettingsError, find_settings, load_settings
from ops.guard import guarded
from ops.settings.service_links import is_service_link, service_links

LABEL = string.ascii_lowercase + string.digits


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings in the environment of the test run don't count."""
    for name in tuple(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv(DATA_VARIABLE, os.devnull)


def links_of(service: str, host: str, ports: Mapping[str, tuple[int, str]]) -> dict[str, str]:
    """As the kubelet makes them (pkg/kubelet/envvars): ports by name, each with its number and protocol."""
    name = service.upper().replace("-", "_")
    bracketed = f"[{host}]" if ":" in host else host
    (first, protocol), *_ = ports.values()
    made = {f"{name}_SERVICE_HOST": host, f"{name}_SERVICE_PORT": str(first)}
    made |= {f"{name}_SERVICE_PORT_{n.upper().replace('-', '_')}": str(port) for n, (port, _) in ports.items() if n}
    made[f"{name}_PORT"] = f"{protocol.lower()}://{bracketed}:{first}"
    for port, proto in ports.values():
        prefix = f"{name}_PORT_{port}_{proto}"
        made[prefix] = f"{proto.lower()}://{bracketed}:{port}"
        made |= {f"{prefix}_PROTO": proto.lower(), f"{prefix}_PORT": str(port), f"{prefix}_ADDR": host}
    return made


def _labels(most: int) -> st.SearchStrategy[str]:
    inside = st.text(LABEL + "-", max_size=most).map(lambda text: text.strip("-"))
    return inside.filter(bool)


port_names = _labels(15).map(lambda name: "-".join(part for part in name.split("-") if part)) | st.just("")
ports = st.dictionaries(
    port_names, st.tuples(st.integers(1, 65_535), st.sampled_from(["TCP", "UDP", "SCTP"])), min_size=1, max_size=4
)
services = st.just("tallymill") | _labels(50).map(lambda name: f"tallymill-{name}")
hosts = st.ip_addresses().map(str)


@given(services, hosts, ports)
def test_all_that_a_service_injects_is_known_for_it(service: str, host: str, named: dict[str, tuple[int, str]]) -> None:
    """Whatever its name, its ports and its address."""
    made = links_of(service, host, named)
    assert sorted(made) == service_links(made, PREFIX)


@given(services, hosts, ports)
def test_no_command_stops_because_of_a_service(service: str, host: str, named: dict[str, tuple[int, str]]) -> None:
    """Nor takes its address for a setting: `tallymill-worker--metrics` makes the name of one."""
    with pytest.MonkeyPatch.context() as patched:
        plain = load_settings().model_dump()
        for name, value in links_of(service, host, named).items():
            patched.setenv(name, value)
        assert plain == load_settings().model_dump()


@given(services, hosts, ports)
def test_services_of_other_names_are_no_matter(service: str, host: str, named: dict[str, tuple[int, str]]) -> None:
    """`config` would list all of a namespace."""
    assert [] == service_links(links_of(f"my-{service}", host, named), PREFIX)


@given(services, ports, st.text(string.printable, max_size=30))
def test_a_value_that_kubernetes_would_not_write_is_a_person_s(
    service: str, named: dict[str, tuple[int, str]], value: str
) -> None:
    """Then the name is a misspelt setting's."""
    made = links_of(service, "10.0.0.1", named)
    assume(value not in made.values() and not value.isdigit() and not any(c in value for c in ".:"))
    assert [] == service_links(dict.fromkeys(made, value), PREFIX)


KUBERNETES = {
    **links_of("tallymill", "10.0.0.1", {"http": (8080, "TCP")}),
    **links_of("tallymill-ingress", "10.0.0.2", {"http": (8080, "TCP"), "": (53, "UDP")}),
    **links_of("tallymill-console", "fd00::1", {"web-ui": (8090, "TCP")}),
    **links_of("tallymill-worker-metrics", "10.0.0.3", {"metrics": (9100, "TCP")}),
    **links_of("tallymill-worker--metrics", "10.0.0.4", {"": (9100, "TCP")}),
}


def test_real_settings_work_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """One underscore more makes the difference."""
    for name, value in KUBERNETES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TALLYMILL_INGRESS__PORT", "8081")
    monkeypatch.setenv("TALLYMILL_CONSOLE__PORT", "8091")
    settings = load_settings()
    assert (8081, 8091, "9100" != str(settings.worker.metrics_port)) == (
        settings.ingress.port,
        settings.console.port,
        True,
    )
    assert sorted(KUBERNETES) == find_settings().sources.ignored_variables


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TALLYMILL_INGRESS_PORT", "8080"),
        ("TALLYMILL_INGRESS_HOST", "10.0.0.1"),
        ("TALLYMILL_PORT", "http://10.0.0.1:8080"),
        ("TALLYMILL_PORT", "tcp://ingress.example:8080"),
        ("TALLYMILL_PORT", "tcp://10.0.0.1:99999"),
        ("TALLYMILL_PORT", "tcp://10.0.0.999:8080"),
        ("TALLYMILL_PORT", "tcp://[fd00:::1]:8080"),
        ("TALLYMILL_PORT", "tcp://10.0.0.1"),
        ("TALLYMILL_PORT_8080_TCP", "tcp://10.0.0.1:8081"),
        ("TALLYMILL_PORT_8080_TCP", "udp://10.0.0.1:8080"),
        ("TALLYMILL_PORT_8080_TCP_PROTO", "udp"),
        ("TALLYMILL_PORT_8080_TCP_PORT", "8081"),
        ("TALLYMILL_PORT_8080_HTTP", "tcp://10.0.0.1:8080"),
        ("TALLYMILL_SERVICE_HOST", "ingress.example"),
        ("TALLYMILL_SERVICE_PORT", "0"),
        ("TALLYMILL_SERVICE_PORT_", "8080"),
        ("tallymill_service_host", "10.0.0.1"),
        ("TALLYMILL__SERVICE_HOST_X", "10.0.0.1"),
        ("TALLYMILL_KAFKA_GROUP", "tcp://10.0.0.1:8080"),
    ],
)
def test_a_misspelt_setting_is_refused_by_name_all_the_same(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """It resembles a variable of Kubernetes, but is none."""
    for injected, its in KUBERNETES.items():
        monkeypatch.setenv(injected, its)
    monkeypatch.setenv(name, value)
    assert not is_service_link(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name}: no such setting")


@pytest.mark.parametrize("as_json", [True, False])
def test_config_lists_what_is_ignored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    """So nothing is dropped in silence; without any there is nothing to say."""
    assert 0 == guarded(show(as_json=as_json))
    plain = capsys.readouterr().out
    assert [] == json.loads(plain)["ignored"] if as_json else "Kubernetes" not in plain
    for name, value in KUBERNETES.items():
        monkeypatch.setenv(name, value)
    assert 0 == guarded(show(as_json=as_json))
    told = capsys.readouterr()  # beside a piped table, which is on standard output
    ignored = json.loads(told.out)["ignored"] if as_json else told.err.splitlines()[-len(KUBERNETES) :]
    assert sorted(KUBERNETES) == ignored
