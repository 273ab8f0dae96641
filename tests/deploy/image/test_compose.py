"""deploy/compose: every container is hardened, every check asks something real, and every variable is a setting."""

import asyncio
import json
import os
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from ops.canary.server import canary_config
from ops.cli import app
from ops.config import Settings, SettingsError, console_config, ingress_config, load_settings, worker_config
from ops.local.servers.mongod import mongod_options
from ops.local.servers.paths import KAFKA_PROPERTIES
from ops.reference import ROOT
from ops.tokens.keys import keys
from tests.deploy.image.composed import FOLDER, compose
from tests.deploy.image.dockerfile import DOCKERFILE, stages
from tests.deploy.image.test_dockerfile import PINNED

SERVICES: dict[str, Any] = compose()["services"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("tallymill:")]
ONCE = ["keys", "init", "replica-set", "cli"]
SERVING = [name for name in SERVICES if name not in ONCE]

CONFIGS: dict[str, Callable[[Settings], object]] = {
    "ingress": ingress_config,
    "worker": worker_config,
    "console": console_config,
    "canary": canary_config,
}


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_hardened(name: str) -> None:
    """Read-only, without capabilities, with a user that is not root."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert ["ALL"] == service["cap_drop"]
    assert ["no-new-privileges:true"] == service["security_opt"]
    assert not {"privileged", "cap_add", "pid", "ipc", "devices"} & set(service)
    user = str(service.get("user") or stages(DOCKERFILE.read_text())[-1].user)
    assert re.fullmatch(r"[1-9][0-9]*:[0-9]+", user)
    # Prometheus writes to its volume alone.
    assert (name != "prometheus") == any(re.match("/tmp:.*size=", one) for one in service.get("tmpfs", []))  # noqa: S108


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned(name: str) -> None:
    """By digest, or it is the one that is built here, of this version."""
    image = SERVICES[name]["image"]
    if name in OURS:
        assert f"tallymill:{PROJECT['version']}" == image
    else:
        assert PINNED.fullmatch(image)


def test_ports_are_those_of_people_and_on_the_loopback_interface() -> None:
    """Kafka and MongoDB have no password, so they have no port and no way out."""
    assert {"ingress", "console", "prometheus", "grafana"} == {name for name in SERVICES if "ports" in SERVICES[name]}
    assert [] == [
        port for one in SERVICES.values() for port in one.get("ports", []) if not port.startswith("127.0.0.1:")
    ]
    assert compose()["networks"]["servers"]["internal"] is True
    for name, service in SERVICES.items():
        outside = ["published"] if "ports" in service else []
        expected = None if name == "keys" else ["servers", *outside]
        assert expected == service.get("networks"), name
    assert "none" == SERVICES["keys"]["network_mode"]


@pytest.mark.parametrize("name", SERVING)
def test_every_check_asks_something_real(name: str) -> None:
    """None of them succeeds whatever happens, and none needs a shell."""
    check = SERVICES[name]["healthcheck"]
    word, program, *arguments = check["test"]
    assert "CMD" == word
    if name in OURS:
        (process,) = SERVICES[name]["command"]
        section = Settings()
        port = getattr(getattr(section, process), "port", None) or getattr(section, process).metrics_port
        assert stages(DOCKERFILE.read_text())[-1].entrypoint == [program]
        assert ["probe", f"http://127.0.0.1:{port}/readyz"] == arguments
    else:
        asked = {
            "kafka": [
                "--bootstrap-server",
                SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].split("//")[1],
            ],
            "mongodb": ["if (!db.hello().isWritablePrimary) { quit(1) }"],
            "prometheus": ["http://127.0.0.1:9090/-/ready"],
            "grafana": ["http://127.0.0.1:3000/api/health"],
        }
        assert asked[name] == arguments[-len(asked[name]) :]
    assert {"interval", "timeout", "retries", "start_period", "start_interval"} < set(check)


def test_the_image_is_built_once_and_never_pulled() -> None:
    """Compose puts the service's name into an image. Of several builds the last one gets the tag.

    Then the containers of the others would be made anew at the next command.
    """
    assert ["keys"] == [name for name, service in SERVICES.items() if "build" in service]
    assert "../.." == SERVICES["keys"]["build"]["context"]
    assert (ROOT / SERVICES["keys"]["build"]["dockerfile"]).is_file()
    assert {"never"} == {SERVICES[name]["pull_policy"] for name in OURS}


# The folders that each image declares as volumes.
VOLUMES = {
    "apache/kafka": ["/etc/kafka/secrets", "/mnt/shared/config", "/var/lib/kafka/data"],
    "mongo": ["/data/configdb", "/data/db"],
    "prom/prometheus": ["/prometheus"],
}


@pytest.mark.parametrize("name", [name for name in SERVICES if SERVICES[name]["image"].split(":")[0] in VOLUMES])
def test_no_container_leaves_a_volume_without_a_name(name: str) -> None:
    """An engine makes one for each declared folder that nothing is mounted at, and never removes it."""
    service = SERVICES[name]
    mounted = {one.split(":")[0] for one in service.get("tmpfs", [])}
    mounted |= {one.split(":")[1] for one in service.get("volumes", [])}
    assert set(VOLUMES[service["image"].split(":")[0]]) <= mounted


def test_init_has_ended_well_before_anything_serves() -> None:
    """And the keys are there, and both servers are well."""
    done, well = {"condition": "service_completed_successfully"}, {"condition": "service_healthy"}
    for name in ("ingress", "worker", "console"):
        assert {"keys": done, "init": done, "kafka": well, "mongodb": well} == SERVICES[name]["depends_on"]
    # Compose starts again what has ended, for each command.
    assert {"kafka": well, "mongodb": well} == SERVICES["cli"]["depends_on"]
    assert {"kafka": well, "mongodb": well, "replica-set": done} == SERVICES["init"]["depends_on"]
    assert ["init"] == SERVICES["init"]["command"]
    assert {"no"} == {SERVICES[name]["restart"] for name in ONCE}
    assert {"unless-stopped"} == {SERVICES[name]["restart"] for name in SERVING}


def test_two_workers_share_the_partitions() -> None:
    """One can be killed, and the other takes over."""
    assert 2 == SERVICES["worker"]["deploy"]["replicas"]
    assert not {"ports", "container_name", "hostname"} & set(SERVICES["worker"])


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """What the service `keys` makes."""
    asyncio.run(keys(tmp_path / "keys"))
    return tmp_path / "keys"


def environment(name: str, made: Path) -> dict[str, str]:
    """The service's variables, with its part of the volume where the container has it."""
    (volume,) = [one for one in SERVICES[name]["volumes"] if "demo.yaml" not in one]
    folder = made / (volume["volume"]["subpath"] if isinstance(volume, dict) else ".")
    assert folder.is_dir()
    image = stages(DOCKERFILE.read_text())[-1].environment
    text = json.dumps({**image, **SERVICES[name]["environment"]})
    return dict(json.loads(text.replace("/etc/tallymill/secrets", str(folder))))


@pytest.mark.parametrize("name", CONFIGS)
def test_each_process_starts_with_its_variables(name: str, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is a setting, each file is there, and nothing that the process needs is missing."""
    variables = environment(name, made)
    for variable in [one for one in os.environ if one.startswith("TALLYMILL_")]:
        monkeypatch.delenv(variable)
    for variable, value in variables.items():
        if variable.startswith("TALLYMILL_"):
            monkeypatch.setenv(variable, value)
    CONFIGS[name](load_settings())
    monkeypatch.setenv("TALLYMILL_INGRESS__PROT", "1")
    with pytest.raises(SettingsError, match="PROT"):
        load_settings()


def test_no_secret_is_in_the_file() -> None:
    """They are files of the volume, in the folder of the process that needs them."""
    names = {name for service in SERVICES.values() for name in service.get("environment", {})}
    assert [] == [name for name in names if re.search(r"(PASSWORD|SECRET|TOKEN|KEYS|CREDENTIALS?)$", name)]
    folders = {
        name: one["volume"]["subpath"]
        for name in OURS
        for one in SERVICES[name].get("volumes", [])
        if isinstance(one, dict)
    }
    assert {"ingress": "processes", "worker": "processes", "console": "console", "canary": "issuer"} == folders
    assert {("volume", "keys", "/etc/tallymill/secrets", True)} == {
        (one["type"], one["source"], one["target"], one["read_only"])
        for name in folders
        for one in SERVICES[name]["volumes"]
    }
    assert ["keys:/var/lib/tallymill"] == SERVICES["keys"]["volumes"]
    assert "/var/lib/tallymill" in " ".join(str(step) for _, step in stages(DOCKERFILE.read_text())[-1].steps)


def test_a_stop_is_waited_for() -> None:
    """Longer than the process drains and waits, so that an engine kills none at work."""
    settings = Settings()
    waits = {
        "ingress": settings.ingress.drain_seconds + settings.ingress.stop_timeout_seconds,
        "worker": settings.worker.stop_timeout_seconds,
        "console": settings.console.drain_seconds + settings.console.stop_timeout_seconds,
    }
    for name, seconds in waits.items():
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) >= seconds + 10


def test_kafka_is_set_as_the_local_one() -> None:
    """But for its addresses and its folder."""
    own = ("listeners", "advertised.listeners", "controller.quorum.voters", "log.dirs")
    lines = [line.partition("=") for line in KAFKA_PROPERTIES.read_text().splitlines() if line and line[0] != "#"]
    local = {"KAFKA_" + name.upper().replace(".", "_"): value for name, _, value in lines if name not in own}
    variables = SERVICES["kafka"]["environment"]
    assert local == {name: variables[name] for name in local}
    extra = set(variables) - set(local)
    assert {*(f"KAFKA_{name.upper().replace('.', '_')}" for name in own), "KAFKA_HEAP_OPTS"} == extra


def test_mongodb_is_set_as_the_local_one() -> None:
    """A replica set with short transactions."""
    local = " ".join(mongod_options(27017))
    for option in SERVICES["mongodb"]["command"]:
        assert option == "--bind_ip_all" or option.replace("=", " ", 1) in local, option
    assert "rs0" in (FOLDER / "replica-set.js").read_text()
    assert "replicaSet=rs0" in SERVICES["init"]["environment"]["TALLYMILL_MONGODB__URI"]


def test_every_file_that_is_mounted_is_there() -> None:
    """An engine would make a folder of that name."""
    files = [one.split(":")[0] for s in SERVICES.values() for one in s.get("volumes", []) if isinstance(one, str)]
    assert [] == [file for file in files if file.startswith(".") and not (FOLDER / file).exists()]
    volumes = {file for file in files if not file.startswith(".")}
    assert volumes | {"keys"} == set(compose()["volumes"])


def test_prometheus_scrapes_the_same_jobs_as_everywhere() -> None:
    """The rules and dashboards name them."""
    theirs = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    ours = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    jobs = [[job["job_name"] for job in one["scrape_configs"]] for one in (theirs, ours)]
    assert jobs[0] == jobs[1]
    assert (theirs["global"], theirs["rule_files"]) == (ours["global"], ours["rule_files"])
    ports = stages(DOCKERFILE.read_text())[-1].ports
    text = (FOLDER / "prometheus.yml").read_text()
    assert sorted(ports) == sorted({int(port) for port in re.findall(r"(?:port: |:)(\d{4})\b", text)})


@pytest.mark.parametrize(
    ("file", "kind"), [("grafana-datasource.yml", "datasources"), ("grafana-dashboards.yml", "dashboards")]
)
def test_grafana_is_provisioned_as_everywhere(file: str, kind: str) -> None:
    """But for the address and the folder."""
    ours = yaml.safe_load((FOLDER / file).read_text())
    theirs = yaml.safe_load((ROOT / "deploy" / "grafana" / "provisioning" / kind / "tallymill.yml").read_text())
    (name,) = [key for key in ours if key != "apiVersion"]
    differ = {key for key in theirs[name][0] if theirs[name][0][key] != ours[name][0].get(key)}
    assert differ <= {"url", "options", "allowUiUpdates"}
    assert theirs[name][0].get("uid") == ours[name][0].get("uid")


def test_nobody_has_a_password_in_grafana() -> None:
    """Its image would make the user admin with the password admin."""
    variables = SERVICES["grafana"]["environment"]
    assert "true" == variables["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"]
    assert ("true", "Viewer") == (variables["GF_AUTH_ANONYMOUS_ENABLED"], variables["GF_AUTH_ANONYMOUS_ORG_ROLE"])
    assert ("false", "true") == (variables["GF_AUTH_BASIC_ENABLED"], variables["GF_AUTH_DISABLE_LOGIN_FORM"])


def lines_of_docs() -> list[str]:
    """Every command of the pages that calls compose."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    text = "\n".join(page.read_text() for page in pages)
    names = "--file|--profile|up|run|down|logs|restart|stop"
    return re.findall(rf"docker compose ((?:{names})\b[^`\n)|]*)", text)


@pytest.mark.parametrize("line", lines_of_docs())
def test_each_command_of_the_pages_is_of_this_file(line: str) -> None:
    """Its file, profile and services are there, and `cli` gets a command of tallymill."""
    words = shlex.split(line)
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", [])}
    while words[0].startswith("--"):
        option, value, *words = words
        assert (ROOT / value).samefile(FOLDER / "compose.yaml") if option == "--file" else value in {*profiles, "*"}
    command, *words = words
    if command == "run":
        *_, service, name = words[: words.index("cli") + 2]
        assert "cli" == service
        assert name in typer.main.get_group(app).commands
    elif command in {"logs", "restart"}:
        assert set(words) <= set(SERVICES)
    else:
        assert set(words) <= {"--build", "--detach", "--wait", "--volumes", "--scale", "worker=4"}


def test_the_pages_have_commands() -> None:
    """Or the test above tests nothing."""
    assert len(lines_of_docs()) > 8
