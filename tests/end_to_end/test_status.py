"""`tallymill status` and `tallymill load` beside frozen servers: what they report is true."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from ops.load.send import GIVE_UP_SECONDS
from tests.end_to_end.running import SETTINGS, System, get, until
from tests.frozen import frozen
from tests.ops.local.hostile_folder import hostile
from tests.ops.local.servers.test_processes import goes
from tests.ops.test_service_links import KUBERNETES

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

# A frozen server is noticed within ten seconds. This machine may be slow.
NOTICED_SECONDS = 30

PROCESSES = ["supervisor", "kafka", "mongodb", "ingress", "console", "worker-1"]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with one worker; `down` leaves no process of it.

    It is started, and every command is run, where folders are named as ours, in a pod that has services named as ours.
    """
    stands = hostile(tmp_path_factory.mktemp("stands"))
    running = System(tmp_path_factory.mktemp("system"), settings={**SETTINGS, **KUBERNETES}, stands=stands)
    try:
        status, _, errors = running.run("up", "--detach", "--workers=1")
        assert 0 == status, errors
        yield running
        pids = running.pids()
    finally:
        running.run("down")
    assert [] == [pid for pid in pids if pid and not goes(pid)]


def asked(system: System) -> tuple[int, dict[str, Any]]:
    """The exit status and the JSON output."""
    status, output, errors = system.run("status", "--json")
    assert output, errors
    return status, json.loads(output)


def until_ready(system: System) -> dict[str, Any]:
    """The output then. Continued processes recover by themselves, on a busy machine later than status waits."""
    told: dict[str, Any] = {}

    def is_ready() -> bool:
        nonlocal told
        status, told = asked(system)
        return status == 0

    until(is_ready, "status says ready")
    return told


def test_a_system_that_works_is_ready_process_by_process(system: System) -> None:
    """With the process id of each, also in the text: README asks to kill one."""
    told = until_ready(system)
    assert ("ready", []) == (told["phase"], told["problems"])
    assert dict.fromkeys(PROCESSES, "ready") == {one["name"]: one["said"] for one in told["processes"]}
    output = ""

    def is_ready() -> bool:
        nonlocal output
        status, output, errors = system.run("status")
        assert not errors
        return status == 0

    until(is_ready, "status says ready to people")
    first, *lines = output.splitlines()
    assert f"ready (supervisor {told['supervisor']})" == first
    for one, line in zip(told["processes"], lines, strict=False):
        assert [one["name"], "ready", "pid", str(one["pid"])] == line.split()[:4]


def test_what_stands_still_or_is_gone_is_named_and_the_system_is_not_ready(system: System) -> None:
    """A stopped process keeps its process id, its port and its entry in the state file, and does not answer.

    MongoDB is killed while the supervisor is stopped, which starts it again as soon as it continues.
    """
    state = until_ready(system)
    pids = {one["name"]: one["pid"] for one in state["processes"]}
    names = {"supervisor", "kafka", "ingress", "worker-1"}
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(frozen(pids[name]))
        os.kill(pids["mongodb"], signal.SIGKILL)
        status, told = asked(system)
        found = {one["name"]: one for one in told["processes"]}
        assert (1, "not ready") == (status, told["phase"])
        assert names == {name for name, one in found.items() if one["said"] == "frozen"}
        assert "no answer" == found["mongodb"]["said"]
        assert "connection refused" in found["mongodb"]["detail"]
        status, output, errors = system.run("status")
        assert (1, "") == (status, errors)  # no client's own words
        assert output.startswith("not ready (supervisor ")
        assert all(f"! {name}: frozen" in output for name in names)


def test_a_load_that_nothing_accepts_fails_and_says_why(system: System) -> None:
    """Tokens for another audience: every request is refused, so a sum of zero is no success."""
    until_ready(system)
    other = replace(system, settings={**system.settings, "TALLYMILL_TOKENS__AUDIENCE": "another"})
    status, output, errors = other.run("load", "--rate=20", "--seconds=1", "--players=3", "--json")
    found = json.loads(output)
    assert (1, 0, {"HTTP 401": 20}) == (status, found["accepted"], found["refused"])
    assert "not checked: nothing was accepted" == found["sums"]
    assert errors.startswith("nothing was accepted: HTTP 401: ")


def test_a_load_is_not_begun_where_it_cannot_end_well(system: System) -> None:
    """A wrong address or a frozen ingress: it ends at once, without a report."""
    state = until_ready(system)
    assert (2, "") == system.run("load", "--url=notaurl")[:2]
    with frozen(state["ingress_pid"]):
        start = time.monotonic()
        status, output, errors = system.run("load", "--rate=1", "--seconds=5")
        seconds = time.monotonic() - start
    assert (1, "") == (status, output)
    assert errors.endswith(": timed out\n")
    assert seconds < GIVE_UP_SECONDS, "nothing was sent again and again"


def test_the_console_says_which_server_stands_still_and_goes_on(system: System) -> None:
    """Within seconds, with numbers only of what answers. All is well soon after the servers continue."""
    state = until_ready(system)
    reader = system.run("token", "--app=demo", "--player=operator", "--scope=tallymill.read")[1].splitlines()[-1]

    def snapshot() -> dict[str, Any]:
        status, found = get(f"{state['console']}/v1/system", f"Bearer {reader}")
        assert 200 == status
        return found

    until(lambda: snapshot()["state"] == "well", "all is well")
    with ExitStack() as stack:
        stack.enter_context(frozen(state["kafka_pid"]))
        until(lambda: snapshot()["reasons"] != [], "Kafka is missed", NOTICED_SECONDS)
        found = snapshot()
        assert "down" == found["state"]
        assert found["reasons"][0].startswith("Kafka does not answer (")
        assert [(None, 0)] * 2 == [(one["accepted"], one["dead"]) for one in found["topics"]]
        assert 200 == get(f"{state['console']}/v1/events?actor=ann", f"Bearer {reader}")[0]
        stack.enter_context(frozen(state["mongodb_pid"]))
        until(lambda: len(snapshot()["reasons"]) > 1, "MongoDB is missed", NOTICED_SECONDS)
        assert [(None, None)] * 2 == [(one["accepted"], one["dead"]) for one in snapshot()["topics"]]
    until(lambda: snapshot()["state"] == "well", "all is well again")
