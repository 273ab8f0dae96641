"""Each command in the image's root file system, read-only and as the image's user, on real servers.

The containers are those of compose.yaml, with its commands, variables and volumes.
"""

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.deploy.image.base import environment
from tests.deploy.image.composed import USER, Stack
from tests.deploy.image.conftest import ARGUMENTS
from tests.deploy.image.container import Image
from tests.deploy.image.dockerfile import DOCKERFILE, stages
from tests.end_to_end.running import post, until
from tests.patience import PATIENCE_SECONDS
from tests.servers import Servers

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


@pytest.fixture
def stack(image: Image, servers: Servers, tmp_path: Path) -> Iterator[Stack]:
    made = Stack(image, servers, tmp_path)
    try:
        yield made
    finally:
        made.kill()


def batch(request_id: str) -> str:
    """One update of one event, in the minute before the last."""
    now = int(time.time())
    period = {"periodStartMillis": f"{now - 120}000", "periodEndMillis": f"{now - 60}000"}
    updates = [{"definitionId": "LEVEL_UP", "updateCount": "3"}]
    return json.dumps({"requestId": request_id, "timePeriods": [{"timePeriod": period, "updates": updates}]})


def test_the_builder_understands_the_dockerfile_as_the_reader_does(image: Image) -> None:
    """So what the fast tests say of the Dockerfile is true of the image."""
    built, read = image.config, stages(DOCKERFILE.read_text(), ARGUMENTS)[-1]
    assert (read.user, read.folder, read.stop_signal) == (built.user, built.folder, built.stop_signal)
    assert (read.entrypoint, read.command) == (built.entrypoint, built.command)
    assert (read.labels, read.ports) == (built.labels, built.ports)
    assert {**environment(), **read.environment} == built.environment


def test_the_whole_way_of_a_batch_through_the_image(stack: Stack) -> None:
    """Keys, init, definitions, ingress, worker, console, canary, probe, a counted batch, doctor, verify, SIGTERM."""
    succeeds(stack, "keys")
    succeeds(stack, "init")
    succeeds(stack, "cli", "definitions", "apply", "/demo.yaml")
    ingress, worker, console = (stack.start(name) for name in ("ingress", "worker", "console"))
    canary = stack.start("canary", TALLYMILL_CANARY__URL=ingress.url)
    containers = (ingress, worker, console, canary)
    for container in containers:
        stack.ready(container)

    token = succeeds(stack, "cli", "token", "--app", "demo", "--player", "ann").splitlines()[-1]
    counts_once(f"{ingress.url}/games/v1/events", token)
    succeeds(stack, "cli", "verify")
    succeeds(stack, "cli", "doctor")
    until(lambda: 'outcome="first"} 1.0' in metrics(canary.url), "the canary's first batch is visible")
    for container in containers:
        has_no_rights(container.status())
        assert "0.0.0.0" == container.address[0]  # noqa: S104 what is tested
        assert [] == container.written(), "a process needs no place to write to"
    assert [0] * 4 == [container.stop() for container in reversed(containers)]


def metrics(url: str) -> str:
    with build_opener(ProxyHandler({})).open(f"{url}/metrics", timeout=PATIENCE_SECONDS) as answer:
        return str(answer.read().decode())


def succeeds(stack: Stack, service: str, *words: str) -> str:
    """What the service prints."""
    status, output, errors = stack.run(service, *words)
    assert 0 == status, output + errors
    return output


def counts_once(url: str, token: str) -> None:
    """The totals include the batch, also when it is sent again."""
    request_id, give_up = str(secrets.randbits(60)), time.monotonic() + PATIENCE_SECONDS
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = batch(request_id)
    while (answer := post(url, headers, body)).totals != {"LEVEL_UP": 3}:
        assert time.monotonic() < give_up, answer
    again = post(url, headers, body)
    assert (200, {"LEVEL_UP": 3}, ["ALREADY_UPDATED"]) == (again.status, again.totals, again.causes)


def has_no_rights(status: dict[str, str]) -> None:
    assert [str(USER)] * 4 == status["Uid"].split() == status["Gid"].split()
    assert {"0" * 16} == {status[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb", "CapInh")}
    assert "1" == status["NoNewPrivs"]


def shell(image: Image, script: str) -> tuple[int, str, str]:
    return image.run("-c", script, entrypoint=["/bin/sh"])


def test_nothing_but_tmp_can_be_written(image: Image) -> None:
    """Neither by its rights nor by the mount."""
    places = "/ /opt/tallymill /opt/tallymill/lib /usr/local /usr/local/lib /usr /etc /var/lib/tallymill"
    script = f"for place in {places}; do touch $place/x 2>/dev/null && echo $place; done; touch /tmp/x && rm /tmp/x"
    assert (0, "", "") == shell(image, script)
    assert "Read-only file system" in shell(image, "touch /var/lib/tallymill/x")[2]


def test_there_is_nothing_to_install_with(image: Image) -> None:
    """No pip, no uv, no build backend; and of the repository only what the wheel has."""
    for module in ("pip", "setuptools", "wheel", "ensurepip", "uv", "hatchling", "pytest", "tests", "bench"):
        status, _, errors = image.run("-c", f"import {module}", entrypoint=["/opt/tallymill/bin/python"])
        assert status and "ModuleNotFoundError" in errors, module  # noqa: PT018 one fact
    assert "" == shell(image, "ls -d /build /cache/uv /opt/tallymill/bin/*pip* /opt/tallymill/bin/uv 2>/dev/null")[1]


def test_all_bytecode_is_there(image: Image) -> None:
    """A process could not write it, and would compile at every start."""
    script = (
        "import compileall, pathlib, sys, sysconfig\n"
        "for folder in (sysconfig.get_path('stdlib'), sysconfig.get_path('purelib')):\n"
        "    for file in pathlib.Path(folder).rglob('*.py'):\n"
        "        if not {'lib2to3', 'test', 'tests'} & set(file.parts) and not pathlib.Path(\n"
        "            file.parent, '__pycache__', f'{file.stem}.{sys.implementation.cache_tag}.pyc').exists():\n"
        "            print(file)\n"
    )
    status, output, errors = image.run("-c", script, entrypoint=["/opt/tallymill/bin/python"])
    assert (0, "") == (status, errors)
    assert [] == [line for line in output.splitlines() if not line.endswith(("bad_coding.py", "badsyntax.py"))]


def test_without_a_command_it_says_what_there_is(image: Image) -> None:
    """CMD is --help."""
    status, output, _ = image.run(*image.config.command)
    assert 0 == status
    assert all(name in output for name in ("ingress", "worker", "console", "init", "probe", "doctor"))


def test_a_console_without_authentication_says_what_to_set(image: Image) -> None:
    """In the image it listens on all addresses. It does not start before something says who asks."""
    status, _, errors = image.run("console")
    assert 2 == status, errors
    for name in ("MONGODB__URI", "TOKENS__ISSUER", "TOKENS__AUDIENCE", "TOKENS__JWKS"):
        assert f"TALLYMILL_{name}" in errors
    assert "Traceback" not in errors


def test_a_console_that_others_reach_refuses_the_key_of_the_issuer(image: Image) -> None:
    """The image's address counts as one that others reach."""
    environment = {
        "TALLYMILL_MONGODB__URI": "mongodb://127.0.0.1:1/?replicaSet=rs0",
        "TALLYMILL_TOKENS__ISSUER": "x",
        "TALLYMILL_TOKENS__AUDIENCE": "y",
        "TALLYMILL_TOKENS__JWKS": "/jwks.json",
        "TALLYMILL_TOKENS__PRIVATE_KEY": "/issuer.jwk",
    }
    status, _, errors = image.run("console", environment=environment)
    assert 2 == status
    assert "console.host: 0.0.0.0 can be reached from other machines, but tokens.private_key is set" in errors
