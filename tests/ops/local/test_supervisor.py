"""The whole local system, on real servers; the ingress and workers are stubs that only answer /readyz."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from ops.config import Settings, variable_of
from ops.local.logs.entry import entries
from ops.local.servers.kafka import answers
from ops.local.servers.ports import LOOPBACK, Wanted
from ops.local.servers.processes import Children, Program
from ops.local.servers.replica_set import make_primary
from ops.local.servers.source import Sources
from ops.local.state import State, Worker, read_state, supervisor_pid
from ops.local.supervisor import SystemOptions, masked, moved_text, servers_text, wanted_ports, with_pids
from ops.local.supervisor_log import SupervisorLog
from ops.local.watch import Watch
from tests.frozen import freeze
from tests.ops.local.servers.test_processes import goes, is_alive
from tests.ops.local.test_state import STATE
from tests.patience import PATIENCE_SECONDS

STUB_UP = str(Path(__file__).with_name("stub_up.py"))


def pids_of(state: dict[str, Any]) -> list[int]:
    own = [state["kafka_pid"], state["mongodb_pid"], state["ingress_pid"], state["console_pid"]]
    return own + [worker["pid"] for worker in state["workers"]]


@contextmanager
def running(
    data: Path, environ: Mapping[str, str] = MappingProxyType({}), *, errors: int = subprocess.PIPE
) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """A system with two workers that is ready; killed at the end if it still runs. `errors`: its standard error."""
    command, env = [sys.executable, STUB_UP, str(data), "2"], {**os.environ, **environ}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=env) as process:
        try:
            assert process.stdout
            lines: list[str] = []
            while not lines or lines[-1] != "}\n":
                lines.append(process.stdout.readline())
                assert lines[-1], process.communicate()[1]
            yield process, json.loads("".join(lines))
        finally:
            process.kill()


def state_when(data: Path, holds: Callable[[State], bool]) -> State:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        state = read_state(data)
        if state and holds(state):
            return state
        time.sleep(0.05)
    pytest.fail("the state did not become what it should")


@pytest.mark.real
def test_it_starts_restarts_and_stops_without_leaving_a_process(tmp_path: Path) -> None:
    with running(tmp_path) as (process, state):
        assert answers(state["kafka"])
        assert make_primary(state["mongodb"].split("/")[2])
        assert process.pid == supervisor_pid(tmp_path) == state["supervisor"]
        first = state["workers"][0]["pid"]
        os.kill(first, signal.SIGKILL)
        restarted = state_when(tmp_path, lambda now: now.workers[0].pid not in (0, first))
        (tmp_path / "state.json.new").mkdir()  # as on a full disk, the state can't be written
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=PATIENCE_SECONDS)[1]
        assert process.returncode == 0
        assert "The state file can't be written: Is a directory" in told
        assert "worker-1 ended (killed by signal 9)" in told
        assert "worker-1 is started again" in told
        pids = [*pids_of(state), restarted.workers[0].pid]
        assert [pid for pid in pids if is_alive(pid)] == []
        assert supervisor_pid(tmp_path) is None


@pytest.mark.real
def test_killed_it_leaves_no_process_and_starts_again_at_once(tmp_path: Path) -> None:
    """Its children are killed by the watchdog; their data survives."""
    with running(tmp_path) as (process, state):
        process.kill()
        process.wait()
        assert [pid for pid in pids_of(state) if not goes(pid)] == []
        assert read_state(tmp_path) is None
    terminal, end = pty.openpty()
    with running(tmp_path, errors=end) as (process, _):
        # Its terminal closes: writing fails, and SIGHUP comes from the shell and then from the kernel.
        os.close(end)
        os.close(terminal)
        process.send_signal(signal.SIGHUP)
        state_when(tmp_path, lambda now: now.phase == "stopping")
        process.send_signal(signal.SIGHUP)
        assert process.wait(PATIENCE_SECONDS) == 0


@pytest.mark.real
def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with running(tmp_path, {variable_of("ingress.stop_timeout_seconds"): "3600"}) as (process, state):
        freeze(state["ingress_pid"])  # it will not answer the first
        process.send_signal(signal.SIGTERM)
        state_when(tmp_path, lambda now: now.phase == "stopping")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 130
        assert [pid for pid in pids_of(state) if not goes(pid)] == []


def test_a_worker_that_is_down_has_0_for_its_process_id(tmp_path: Path) -> None:
    """The other one keeps its own."""
    two = replace(STATE, workers=(Worker(11, "http://one"), Worker(12, "http://two")))
    with Children(tmp_path) as children:
        watch = Watch(children, lambda _: None)
        watch.add(child := children.start(Program("worker-2", ("sleep", "3600"))))
        assert (Worker(0, "http://one"), Worker(child.pid, "http://two")) == with_pids(two, watch).workers


def test_a_password_is_not_shown() -> None:
    assert masked("mongodb://user:p%40ss@db.example/?replicaSet=rs0") == "mongodb://db.example/?replicaSet=rs0"
    options = "authMechanismProperties=AWS_SESSION_TOKEN:x&replicaSet=rs0&tlsCertificateKeyFilePassword=x%40y"
    assert masked(f"mongodb://db.example/?{options}") == "mongodb://db.example/?replicaSet=rs0"
    assert masked("mongodb://127.0.0.1:27017") == "mongodb://127.0.0.1:27017"


def test_it_is_said_where_servers_come_from() -> None:
    assert servers_text(Sources("local", "local")) == "Starting Kafka and MongoDB on this machine"
    told = servers_text(Sources("settings", "docker"))
    assert told == "Starting Kafka at the addresses of the settings and MongoDB in Docker"


def wanted_of(workers: int = 2, **sections: dict[str, object]) -> dict[str, tuple[int, str | None]]:
    settings = Settings.model_validate(sections)
    found = wanted_ports(SystemOptions(Path(), workers, settings, Sources("local", "settings")))
    return {one.process: (one.port, one.setting) for one in found}


def test_a_port_that_the_user_has_set_is_known_from_a_usual_one() -> None:
    """Even if it is the usual one that he has set. A server that `up` does not start needs no port."""
    assert {
        "ingress": (8080, "ingress.port"),
        "console": (8090, None),
        "worker-1": (9400, None),
        "worker-2": (9401, None),
        "kafka": (9092, None),
        "kafka-controller": (9093, None),
    } == wanted_of(ingress={"port": 8080})


@pytest.mark.parametrize(("first", "expected"), [(9500, [9500, 9501]), (0, [0, 0]), (65_535, [65_535, 0])])
def test_workers_have_ports_side_by_side(first: int, expected: list[int]) -> None:
    """Zero stands for any, for each of them; so does a port beyond the last."""
    found = wanted_of(worker={"metrics_port": first})
    assert [(port, "worker.metrics_port") for port in expected] == [found["worker-1"], found["worker-2"]]


def test_usual_ports_that_are_taken_are_one_sentence() -> None:
    """Kafka's controller is nobody's to connect to."""
    wanted = [Wanted("ingress", 8080), Wanted("console", 8090), Wanted("kafka-controller", 9093), Wanted("x", 0)]
    ports = {"ingress": 5000, "console": 8090, "kafka-controller": 5001, "x": 5002}
    expected = "Some usual ports are taken by other programs: ingress on 5000, not 8080"
    assert (expected,) == moved_text(wanted, ports)
    assert () == moved_text(wanted[1:], ports)


def test_what_the_supervisor_does_is_in_its_log_and_on_its_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = SupervisorLog(tmp_path / "logs")
    log.info("worker-1 is started again (pid 7)")
    log.warning("kafka ended (exit status 1)")
    said = capsys.readouterr().err.splitlines()
    assert ["worker-1 is started again (pid 7)", "kafka ended (exit status 1)"] == [one[9:] for one in said]
    lines = (tmp_path / "logs" / "supervisor.log").read_text().splitlines()
    first, second = entries("supervisor", lines)
    assert ("info", "worker-1 is started again (pid 7)") == (first.level, first.event)
    assert ("warning", "kafka ended (exit status 1)") == (second.level, second.event)
    assert first.time


def test_a_log_that_can_t_be_written_ends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On a full disk the terminal has it all the same."""
    log = SupervisorLog(tmp_path)
    (tmp_path / "supervisor.log").mkdir()
    log.info("Stopping")
    assert "Stopping" in capsys.readouterr().err


def test_a_supervisor_whose_errors_go_to_its_log_says_a_thing_once(tmp_path: Path) -> None:
    """As with `up --detach`."""
    program = (
        "from pathlib import Path; from ops.local.supervisor_log import SupervisorLog\n"
        f"log = SupervisorLog(Path({str(tmp_path)!r}))\n"
        "with log.phase('Starting'): log.info('once')"
    )
    with (tmp_path / "supervisor.log").open("ab") as log:
        subprocess.run([sys.executable, "-c", program], stderr=log, check=True)
    events = [json.loads(line)["event"] for line in (tmp_path / "supervisor.log").read_text().splitlines()]
    assert ["once", "Starting"] == [event.partition(":")[0] for event in events]


@pytest.mark.real
def test_taken_ports_are_said_or_refused(tmp_path: Path) -> None:
    """A usual one is another one. One that the user has set is an error, before any server is started."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = str(taken.getsockname()[1])
        command, environ = [sys.executable, STUB_UP, str(tmp_path), "0"], {variable_of("ingress.port"): port}
        ran = subprocess.run(command, env=os.environ | environ, capture_output=True, text=True, check=False, timeout=60)
        assert 1 == ran.returncode
        assert f"ingress.port: port {port} for ingress is taken by another program" in ran.stderr
        assert not (tmp_path / "mongodb").exists()
    with socket.create_server((LOOPBACK, 0)) as free:
        port = str(free.getsockname()[1])
    with running(tmp_path, {variable_of("ingress.port"): port}) as (process, state):
        assert f"http://127.0.0.1:{port}" == state["ingress"]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)
