"""`tallymill status` and `tallymill load` beside frozen servers: what they report is true."""

import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from pymongo import MongoClient

from ops.load.send import GIVE_UP_SECONDS
from ops.local.servers.ports import LOOPBACK
from schemas.documents import CHECKPOINTS
from tests.end_to_end.running import SETTINGS, System, finish, get, until
from tests.frozen import frozen
from tests.ops.local.hostile_folder import hostile
from tests.ops.local.servers.test_processes import goes
from tests.ops.settings.test_service_links import KUBERNETES

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
        with usual_port_taken():
            status, welcome, errors = running.run("up", "--detach", "--workers=1")
        assert 0 == status, errors
        yield replace(running, welcome=errors + welcome)
        pids = running.pids()
    finally:
        running.run("down")
    assert [] == [pid for pid in pids if pid and not goes(pid)]


@contextmanager
def usual_port_taken() -> Iterator[None]:
    """That of the ingress: by this test, or by another system on this machine."""
    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(socket.create_server((LOOPBACK, 8080)))
        yield


def test_a_usual_port_that_is_taken_is_said(system: System) -> None:
    """And where the ingress listens now. The answer ends with what to open, to paste and how to stop."""
    said, _, *lines = [line for line in system.welcome.splitlines() if line]
    assert said.startswith("Some usual ports are taken by other programs: ingress on "), system.welcome
    ingress = system.status()["ingress"].rpartition(":")[2]
    assert f"ingress on {ingress}, not 8080" in said
    (at,) = (number for number, line in enumerate(lines) if line.startswith("Open in a browser"))
    assert lines[at + 1].startswith(f"{system.status()['console']}/open#")
    assert 3 == len([line for line in lines[at:] if line.startswith("curl -sS ")])
    assert lines[-1].startswith("Stop the system: ")
    assert lines[-1].endswith("tallymill down")
    assert "Bearer" not in (system.data / "logs" / "supervisor.log").read_text(), "no token is in a log"


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


def test_no_file_holds_what_was_printed_to_sign_in_with(system: System) -> None:
    """Tokens and the link are for the terminal of `up --detach`. Neither logs nor the state have them."""
    printed = [*re.findall(r"Bearer ([\w.-]{40,})", system.welcome), *re.findall(r"/open#(\S+)", system.welcome)]
    assert 4 == len(printed)
    secret = [one.partition(".")[2].encode() for one in printed]  # tokens share their header
    found = [
        file for file in system.data.rglob("*") if file.is_file() and not file.is_relative_to(system.data / "kafka")
    ]
    holding = [file.name for file in found for one in secret if one in file.read_bytes()]
    assert {"supervisor.log", "ingress.log", "console.log"} <= {file.name for file in found}
    assert [] == holding


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


def test_each_server_that_stands_still_is_named_within_seconds(system: System) -> None:
    """MongoDB, then Kafka too: what is not known is unknown, not 0. The console is not needed to know the rest."""
    state = until_ready(system)
    with frozen(state["console_pid"]):
        status, told = asked(system)
    assert (1, ["console: frozen (it is stopped: continue it with `kill -CONT`)"]) == (status, told["problems"])
    assert [0, 0] == [topic["lagRecords"] for topic in told["topics"]]
    with ExitStack() as stack:
        for number, name in enumerate(("mongodb", "kafka"), 1):
            stack.enter_context(frozen(state[f"{name}_pid"]))
            start = time.monotonic()
            status, output, errors = system.run("status")
            seconds = time.monotonic() - start
            assert (1, "") == (status, errors), output
            first, *lines = output.splitlines()
            assert first.startswith("not ready (supervisor "), output
            assert f"! {name}: frozen (it is stopped: continue it with `kill -CONT`)" in lines
            assert number == output.count(": frozen ")
            assert 1 == output.count("! lag, stopped partitions and partitions without a worker unknown: ")
            assert 1 == output.count("! balance and lost records unknown: ")
            assert seconds < NOTICED_SECONDS


def test_workers_that_were_killed_are_down_and_then_started_again(system: System) -> None:
    """While the supervisor stands still, nothing starts them. Then status shows the new process id and the restart.

    The logs show it too, in one: each line is a JSON object with a time.
    """
    before = until_ready(system)
    (worker,) = before["workers"]
    words = ("logs", "--follow", "--since=1s", "--process=worker", "--process=supervisor")
    with system.start(*words) as following:
        try:
            with frozen(before["supervisor"]):
                os.kill(worker["pid"], signal.SIGKILL)
                status, told = asked(system)
            assert following.stdout
            found: list[dict[str, Any]] = []
            while not any(one["event"] == "partitions_assigned" for one in found):
                found.append(json.loads(following.stdout.readline()))
            following.send_signal(signal.SIGINT)
            assert (0, "") == finish(following)[::2]
        finally:
            following.kill()
    assert 1 == status
    assert any(problem.startswith("worker-1: no answer (nothing listens there") for problem in told["problems"])
    after = until_ready(system)
    old, new = (next(one for one in found["processes"] if one["name"] == "worker-1") for found in (before, after))
    assert old["restarts"] + 1 == new["restarts"]
    assert (True, True) == (old["pid"] != new["pid"], old["since"] < new["since"])
    ended, again = [one["event"] for one in found if one["process"] == "supervisor"]
    assert ended.startswith("worker-1 ended (killed by signal 9). It starts again in ")
    assert f"worker-1 is started again (pid {new['pid']})" == again
    assert {"supervisor", "worker-1"} == {one["process"] for one in found}
    times = [one["time"] for one in found if one["process"] == "worker-1"]
    assert sorted(times) == times


def test_a_partition_that_is_stopped_is_a_problem_with_its_reason(system: System) -> None:
    """It is the worst of its topic. No process is unready because of it."""
    state = until_ready(system)
    with MongoClient[dict[str, Any]](state["mongodb"]) as client:
        checkpoints = client[state["database"]][CHECKPOINTS]
        checkpoints.update_one({"_id": "r1/02"}, {"$set": {"stopped": "the log was cut"}})
        try:
            status, told = asked(system)
        finally:
            checkpoints.update_one({"_id": "r1/02"}, {"$unset": {"stopped": ""}})
    assert (1, ["games, partition 2: stopped: the log was cut"]) == (status, told["problems"])
    (games,) = [topic for topic in told["topics"] if topic["api"] == "games"]
    assert (2, "the log was cut") == (games["worst"]["partition"], games["worst"]["stopped"])


def test_status_can_be_watched_under_load(system: System) -> None:
    """A block after the other, with the rates of that second. Ctrl-C ends it with the exit status of the last one."""
    until_ready(system)
    with system.loading(after=50) as load, system.start("status", "--watch", "--json") as watching:
        try:
            assert watching.stdout
            games: dict[str, Any] = {}
            while not games.get("acceptedPerSecond"):
                told = json.loads(watching.stdout.readline())
                (games,) = [topic for topic in told["topics"] if topic["api"] == "games"]
            watching.send_signal(signal.SIGINT)
            status, rest, errors = finish(watching)
        finally:
            watching.kill()
        load.ended()
    last = [json.loads(line) for line in rest.splitlines()] or [told]
    assert ({"ready": 0, "not ready": 1}[last[-1]["phase"]], "") == (status, errors)
    assert games["countedPerSecond"] is not None
    assert games["difference"] == 0


def test_an_up_with_other_options_than_those_that_run_fails(system: System) -> None:
    """It names them and starts nothing."""
    pids = system.pids()
    other = replace(system, settings={**system.settings, "TALLYMILL_KAFKA__PARTITIONS": "12"})
    status, output, errors = other.run("up", "--detach", "--workers=4")
    assert (1, "") == (status, output)
    assert {"  --workers: 1, not 4", "  kafka.partitions: 6, not 12"} == {
        line for line in errors.splitlines() if line.startswith("  ")
    }
    assert pids == system.pids()


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
