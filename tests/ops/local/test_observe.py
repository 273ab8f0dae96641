"""What `up --observe` starts, and what it says without Prometheus."""

import os
from pathlib import Path

import pytest
import yaml

from ops.config import Settings, variable_of
from ops.local import commands, observe
from ops.local.commands import UpOptions
from ops.local.running_options import OBSERVE, WORKERS, differences, options_of
from ops.local.servers import prometheus
from ops.local.servers.fetch import FetchError
from ops.local.servers.ports import Wanted
from ops.local.servers.prometheus import PrometheusFiles
from ops.reference import ROOT

Output = pytest.CaptureFixture[str]

PORTS = {"ingress": 1, "console": 2, "worker-1": 3, "worker-2": 4, "canary": 5, "prometheus": 6, "kafka": 7}
FILES = PrometheusFiles("/bin/prometheus", "/bin/promtool", Path("/assets"))


def test_prometheus_scrapes_the_ports_that_were_chosen() -> None:
    """Every process of each job, by the names of the shipped configuration."""
    document = yaml.safe_load(observe.local_config(PORTS))
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in document["scrape_configs"]}
    assert {
        "tallymill-ingress": ["127.0.0.1:1"],
        "tallymill-worker": ["127.0.0.1:3", "127.0.0.1:4"],
        "tallymill-console": ["127.0.0.1:2"],
        "tallymill-canary": ["127.0.0.1:5"],
    } == targets
    assert [str(ROOT / "deploy" / "prometheus" / "rules.yml")] == document["rule_files"]
    assert "alertmanagers" not in document


def programs(data: Path, **canary: object) -> dict[str, tuple[tuple[str, ...], dict[str, str]]]:
    observing = observe.Observing(data, PORTS, ("python", "canary"), {"X": "1"})
    found = observe.programs(FILES, observing, Settings.model_validate({"canary": canary}))
    return {one.name: (one.command, dict(one.environ)) for one in found}


def test_prometheus_listens_on_loopback_and_keeps_its_data_with_the_system(tmp_path: Path) -> None:
    command, _ = programs(tmp_path)["prometheus"]
    assert "--web.listen-address=127.0.0.1:6" in command
    assert f"--storage.tsdb.path={tmp_path / 'prometheus' / 'data'}" in command
    assert f"--config.file={tmp_path / 'prometheus' / 'prometheus.yml'}" in command
    assert "--web.local-assets=/assets" in command


def test_the_canary_sends_to_the_ingress_of_the_system(tmp_path: Path) -> None:
    """Or to the URL that the user has set."""
    url = variable_of("canary.url")
    own = programs(tmp_path)["canary"][1]
    assert ("http://127.0.0.1:1", "5", "1") == (own[url], own[variable_of("canary.metrics_port")], own["X"])
    assert url not in programs(tmp_path, url="http://other:80")["canary"][1]


def test_a_port_that_is_set_is_not_moved() -> None:
    usual, own = (Settings.model_validate({"canary": one}) for one in ({}, {"metrics_port": 9501}))
    assert [Wanted("canary", 9500), Wanted("prometheus", 9090)] == observe.wanted_ports(usual)
    assert Wanted("canary", 9501, "canary.metrics_port") == observe.wanted_ports(own)[0]


@pytest.mark.parametrize("detach", [False, True])
def test_without_prometheus_nothing_starts(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch, *, detach: bool
) -> None:
    """And the message says how to get it."""
    monkeypatch.setenv("TALLYMILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert 1 == commands.up(UpOptions(tmp_path / "data", detach=detach, observe=True))
    told = capsys.readouterr().err
    assert "Prometheus is not installed" in told
    assert "-P -m ops.local.servers.prometheus" in told
    assert not (tmp_path / "data").exists()


def executable(file: Path, text: str = "#!/bin/sh\n") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def test_the_one_on_path_is_used_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds the files of its web interface by itself. Then the one in the cache."""
    monkeypatch.setenv("TALLYMILL_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert prometheus.installed() is None
    executable(prometheus.home() / "usr" / "bin" / "prometheus")
    found = prometheus.installed()
    assert found
    assert found.assets == prometheus.home() / "usr" / "share" / "prometheus" / "web"
    for name in ("prometheus", "promtool"):
        executable(tmp_path / "bin" / name)
    assert PrometheusFiles(str(tmp_path / "bin" / "prometheus"), str(tmp_path / "bin" / "promtool")) == (
        prometheus.installed()
    )


def test_the_package_is_unpacked_and_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With stubs for apt-get and dpkg-deb. On a fresh machine, root reads the lists of packages first."""
    monkeypatch.setenv("TALLYMILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    said = tmp_path / "said"
    lists = tmp_path / "lists"
    apt = f'echo "$@" >>{said}\n[ "$1" = update ] && touch {lists}\n[ -e {lists} ] && touch p.deb\n'
    executable(tmp_path / "bin" / "apt-get", f"#!/bin/sh\n{apt}")
    executable(tmp_path / "bin" / "dpkg-deb", '#!/bin/sh\nmkdir -p "$3/usr/bin" && touch "$3/usr/bin/prometheus"\n')
    before = prometheus.installed()
    if before and not before.assets:
        pytest.skip("Prometheus is installed on this machine")
    assert prometheus.fetch().assets
    assert ["download -qq prometheus", "update -qq", "download -qq prometheus"] == said.read_text().splitlines()
    assert not list(prometheus.home().glob("*.deb"))
    prometheus.fetch()
    assert 3 == len(said.read_text().splitlines())


def test_where_there_is_no_apt_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYMILL_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FetchError, match="Put it on PATH"):
        prometheus.fetch()


def test_a_running_system_without_observers_is_not_what_observe_asks_for(tmp_path: Path) -> None:
    """And one that has them is what `up` alone asks for."""
    settings = Settings()
    runs = {seen: options_of({WORKERS: 2, OBSERVE: seen}, settings) for seen in (False, True)}
    asked = {seen: options_of(UpOptions(tmp_path, observe=seen).command_line, settings) for seen in (False, True)}
    assert ["--observe: false, not true"] == differences(asked[True], runs[False])
    assert [[], [], []] == [differences(asked[a], runs[r]) for a, r in ((True, True), (False, True), (False, False))]
