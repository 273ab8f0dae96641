"""The state file of the running system."""

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ops.local.state import (
    Process,
    Run,
    RunningError,
    Servers,
    State,
    Worker,
    data_lock,
    from_json,
    read_state,
    supervisor_pid,
    to_json,
    write_state,
)

STATE = State(
    "ready",
    10,
    "/data",
    Servers("tallymill", Process("k:1", 12), Process("mongodb://m", 13)),
    Process("http://i", 14),
    Process("http://c", 15),
    (Worker(11, "http://w"),),
    {"supervisor": Run(1_795_867_200_000), "kafka": Run(None, 3)},
    ("a note",),
)


def test_a_state_reads_back_as_it_was_written() -> None:
    assert from_json(to_json(STATE)) == STATE


def test_nothing_runs_in_a_folder_nobody_has_used(tmp_path: Path) -> None:
    assert supervisor_pid(tmp_path) is None
    assert read_state(tmp_path) is None


def test_what_runs_is_known_while_it_is_held_and_no_longer(tmp_path: Path) -> None:
    with data_lock(tmp_path):
        write_state(tmp_path, STATE)
        assert os.getpid() == supervisor_pid(tmp_path)
        assert read_state(tmp_path) == STATE
    assert supervisor_pid(tmp_path) is None
    assert read_state(tmp_path) is None, "the file is stale once its writer has gone"


def test_there_is_one_supervisor_of_a_folder(tmp_path: Path) -> None:
    with data_lock(tmp_path), pytest.raises(RunningError), data_lock(tmp_path):
        pytest.fail("held twice")


def test_a_new_supervisor_does_not_show_the_state_of_the_last(tmp_path: Path) -> None:
    with data_lock(tmp_path):
        write_state(tmp_path, STATE)
    with data_lock(tmp_path):
        assert read_state(tmp_path) is None


def test_a_holder_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from ops.local.state import data_lock\n"
        "with data_lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(3600)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert process.pid == supervisor_pid(tmp_path)
        process.kill()
        process.wait()
        assert supervisor_pid(tmp_path) is None


def test_only_the_owner_reads_the_state(tmp_path: Path) -> None:
    with data_lock(tmp_path):
        write_state(tmp_path, replace(STATE, phase="starting"))
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600
