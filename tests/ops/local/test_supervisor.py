"""The whole local system, on real servers; the ingress and workers are stubs that only answer /readyz."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.config import variable_of
from ops.local.servers.kafka import answers
from ops.local.servers.processes import Children, Program
from ops.local.servers.replica_set import make_primary
from ops.local.servers.source import Sources
from ops.local.state import State, Worker, read_state, supervisor_pid
from ops.local.supervisor import masked, servers_text, with_pids
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
def running(data: Path, **environ: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """A system with two workers that is ready; killed at the end if it still runs."""
    command, env = [sys.executable, STUB_UP, str(data), "2"], os.environ | environ
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
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
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=PATIENCE_SECONDS)[1]
        assert process.returncode == 0
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
    with running(tmp_path) as (process, _):
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0


@pytest.mark.real
def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with running(tmp_path, **{variable_of("ingress.stop_timeout_seconds"): "3600"}) as (process, state):
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
    assert masked("mongodb://127.0.0.1:27017") == "mongodb://127.0.0.1:27017"


def test_it_is_said_where_servers_come_from() -> None:
    assert servers_text(Sources("local", "local")) == "Starting Kafka and MongoDB on this machine"
    told = servers_text(Sources("settings", "docker"))
    assert told == "Starting Kafka at the addresses of the settings and MongoDB in Docker"
