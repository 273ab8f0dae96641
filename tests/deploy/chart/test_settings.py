"""What the chart tells each process: real settings, commands, ports and times to end."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import typer
import yaml

from console.config import ConsoleConfig
from consumer.config import WorkerConfig
from ingress import server as ingress_server
from ingress.config import IngressConfig
from ops.canary.server import STOP_TIMEOUT_SECONDS as CANARY_STOP_SECONDS
from ops.canary.server import canary_config
from ops.chart.settings_schema import secret_settings
from ops.cli import app
from ops.config import PREFIX, Settings, console_config, ingress_config, load_settings, variable_of, worker_config
from schemas.settings import APIS, Section
from tests.deploy.chart.objects import (
    SECRETS_FOLDER,
    command_of,
    container_of,
    deployments,
    environment,
    name_of,
    of_kind,
    pod_of,
    pre_stop_seconds,
    workloads,
)
from tests.deploy.chart.render import CHART, Document

SECRETS_DIR: Final = f"{PREFIX}SECRETS_DIR"

# The keys that the Secret of every process needs, and one that SASL needs.
SECRET: Final = {
    variable_of("mongodb.uri"): "mongodb://mongodb/?replicaSet=rs0",
    variable_of("signing.keys"): '["a secret of sixteen characters"]',
    variable_of("kafka.sasl_username"): "somebody",
    variable_of("kafka.sasl_password"): "a password",
    variable_of("console.session_keys"): '["a secret of sixteen characters"]',
    variable_of("canary.token"): "a-token",
}

CONFIGS: Final[Mapping[str, Callable[[Settings], object]]] = {
    "ingress": ingress_config,
    "worker": worker_config,
    "console": console_config,
    "canary": canary_config,
}

# Where a process listens, by command.
ADDRESSES: Final = {
    "ingress": ("ingress.host", "ingress.port"),
    "worker": ("worker.metrics_host", "worker.metrics_port"),
    "console": ("console.host", "console.port"),
    "canary": ("canary.metrics_host", "canary.metrics_port"),
}

# After its last wait, a process ends its background tasks, flushes its producers, and closes its connections.
LAST_SECONDS: Final = 10


@pytest.fixture(name="load")
def loader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Mapping[str, str]], Settings]:
    """Loads settings as a process does that has exactly these variables, and the Secret."""

    def load(variables: Mapping[str, str]) -> Settings:
        monkeypatch.chdir(tmp_path)
        given = {**SECRET, **variables}
        assert SECRETS_FOLDER == given.pop(SECRETS_DIR)
        for name, value in given.items():
            if value.startswith(f"{SECRETS_FOLDER}/"):
                (tmp_path / Path(value).name).touch()
                given[name] = str(tmp_path / Path(value).name)
        monkeypatch.setattr("os.environ", given)
        return load_settings(given)

    return load


def setting(settings: Settings, name: str) -> Any:  # noqa: ANN401 whatever it is
    section, _, key = name.partition(".")
    return getattr(getattr(settings, section), key)


def commands() -> set[str]:
    found: Any = typer.main.get_command(app)  # a group of click, which typer may carry within itself
    return set(found.commands)


def test_every_variable_is_a_setting_with_a_value_that_its_process_accepts(
    manifests: list[Document], load: Callable[[Mapping[str, str]], Settings]
) -> None:
    """Each process reads its variables, and `init` and `doctor` read theirs."""
    for workload in workloads(manifests):
        settings = load(environment(workload, manifests))
        if config := CONFIGS.get(command_of(workload)):
            config(settings)


def test_every_command_exists(manifests: list[Document]) -> None:
    found = {command_of(workload) for workload in workloads(manifests)}
    assert {"ingress", "worker", "console"} <= found <= commands()


def test_a_process_listens_where_its_pod_says(
    manifests: list[Document], load: Callable[[Mapping[str, str]], Settings]
) -> None:
    """On all addresses, and on the port of the container, which probes and monitors name."""
    for workload in deployments(manifests):
        container = container_of(workload)
        settings = load(environment(workload, manifests))
        host, port = ADDRESSES[command_of(workload)]
        (declared,) = container["ports"]
        assert ("http", setting(settings, port)) == (declared["name"], declared["containerPort"])
        assert setting(settings, host) in ("0.0.0.0", "::")  # noqa: S104
        assert {"http"} == {
            container[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "readiness", "liveness")
        }


def test_the_time_to_end_is_the_sum_of_all_waits(
    manifests: list[Document], load: Callable[[Mapping[str, str]], Settings]
) -> None:
    """PreStop + drain + stop + 10, by the numbers that the process has."""
    for workload in deployments(manifests):
        settings = load(environment(workload, manifests))
        waits = {
            "ingress": settings.ingress.drain_seconds + settings.ingress.stop_timeout_seconds,
            "worker": settings.worker.stop_timeout_seconds,
            "console": settings.console.drain_seconds + settings.console.stop_timeout_seconds,
            "canary": 0.0,
        }[command_of(workload)]
        expected = math.ceil(pre_stop_seconds(workload) + waits + LAST_SECONDS)
        assert expected == pod_of(workload)["spec"]["terminationGracePeriodSeconds"]


def test_ten_seconds_are_enough_for_what_follows_the_waits() -> None:
    assert ingress_server.FLUSH_SECONDS < LAST_SECONDS
    assert CANARY_STOP_SECONDS < LAST_SECONDS


def test_a_process_gets_the_sections_that_it_reads(manifests: list[Document]) -> None:
    """All of them, so that every value has an effect. No others, so that it restarts for no other reason."""
    secret = {name.partition(".")[0] for name in secret_settings()}
    configs: dict[str, type[Section]] = {"ingress": IngressConfig, "worker": WorkerConfig, "console": ConsoleConfig}
    helpers = (CHART / "templates" / "_helpers.tpl").read_text()
    for command, config in configs.items():
        read = set(config.model_fields) - {"signing"}  # only secrets
        (line,) = (line for line in helpers.splitlines() if line.strip().startswith(f'"{command}" (list '))
        assert read == set(line.split("(list ")[1].rstrip(")").replace('"', "").split())
        for workload in deployments(manifests):
            if command_of(workload) == command:
                names = environment(workload, manifests).keys() - {SECRETS_DIR}
                ours = {name.removeprefix(PREFIX).partition("__")[0].lower() for name in names if PREFIX in name}
                assert ours <= read
    assert {"signing"} <= secret


def test_the_defaults_of_the_chart_are_those_of_the_settings() -> None:
    """Or safer ones. values.yaml repeats what templates compute with."""
    given = yaml.safe_load((CHART / "values.yaml").read_text())["settings"]
    differ = {
        f"{section}.{name}": value
        for section, values in given.items()
        for name, value in values.items()
        if value != setting(Settings(), f"{section}.{name}")
    }
    assert {"kafka.replication_factor": 3, "ingress.drain_seconds": 5, "console.drain_seconds": 5} == differ


def test_deployments_of_workers_read_each_api_once(
    manifests: list[Document], load: Callable[[Mapping[str, str]], Settings]
) -> None:
    """Both in one, or one in each."""
    read = [
        load(environment(workload, manifests)).worker.apis
        for workload in deployments(manifests)
        if command_of(workload) == "worker"
    ]
    assert sorted(APIS) == sorted(api for apis in read for api in apis)


def test_no_secret_is_in_a_manifest(manifests: list[Document]) -> None:
    """No Secret object, and no variable of a setting that holds a secret."""
    assert [] == of_kind(manifests, "Secret")
    secret = {variable_of(name) for name in secret_settings()}
    for workload in workloads(manifests):
        assert not secret & environment(workload, manifests).keys(), name_of(workload)
