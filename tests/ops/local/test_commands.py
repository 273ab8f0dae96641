"""up, down and status."""

import json
import os
from pathlib import Path

import pytest

from ops.local import commands
from ops.local.logs.command import LogOptions, logs
from ops.local.state import data_lock, write_state
from ops.local.status.health import Health, ProcessNow, Said
from tests.ops.local.test_state import STATE

Output = pytest.CaptureFixture[str]


def test_the_status_of_nothing_is_3(tmp_path: Path, capsys: Output) -> None:
    assert commands.status(tmp_path, as_json=True) == 3
    assert json.loads(capsys.readouterr().out) == {"phase": "stopped"}


def test_the_status_of_a_system_that_starts_is_3(tmp_path: Path, capsys: Output) -> None:
    """Nothing is asked yet."""
    with data_lock(tmp_path):
        assert commands.status(tmp_path, as_json=False) == 3
        assert capsys.readouterr().out == "starting\n"
        write_state(tmp_path, STATE.in_phase("stopping"))
        assert commands.status(tmp_path, as_json=True) == 3
        assert "stopping" == json.loads(capsys.readouterr().out)["phase"]


@pytest.mark.parametrize(("problems", "expected"), [([], (0, "ready")), (["kafka: frozen"], (1, "not ready"))])
def test_a_system_is_ready_if_all_that_was_asked_is(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch, problems: list[str], expected: tuple[int, str]
) -> None:
    """The state file is not enough. The addresses are printed in any case."""
    said: Said = "frozen" if problems else "ready"
    health = Health([ProcessNow("kafka", said, "", "k:1", 12)], {"balance": {}, "lost": []})
    monkeypatch.setattr(commands, "health_of", lambda *_: health)
    with data_lock(tmp_path):
        write_state(tmp_path, STATE)
        status = commands.status(tmp_path, as_json=True)
        told = json.loads(capsys.readouterr().out)
        assert (expected, problems) == ((status, told["phase"]), told["problems"])
        assert ("k:1", "mongodb://m", "http://i") == (told["kafka"], told["mongodb"], told["ingress"])
        assert [{"pid": 11, "metrics": "http://w"}] == told["workers"]
        assert expected[0] == commands.status(tmp_path, as_json=False)
        first, *lines = capsys.readouterr().out.splitlines()
    assert f"{expected[1]} (supervisor 10)" == first
    assert [f"! {one}" for one in problems] == lines[: len(problems)]


def test_lost_records_are_the_first_line_of_status(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before whether anything runs."""
    health = Health([], {"balance": {}, "lost": ["t, partition 0: offsets 1 to 2"]})
    monkeypatch.setattr(commands, "health_of", lambda *_: health)
    with data_lock(tmp_path):
        write_state(tmp_path, STATE)
        assert 1 == commands.status(tmp_path, as_json=False)
        lost, phase, *others = capsys.readouterr().out.splitlines()
    assert ("LOST: t, partition 0: offsets 1 to 2", "not ready (supervisor 10)") == (lost, phase)
    assert not any("LOST" in line for line in others)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, capsys: Output) -> None:
    """A misspelt --data must not read like a system that is stopped."""
    missing = tmp_path / "none"
    assert commands.status(missing, as_json=False) == 3
    assert commands.down(missing, as_json=False) == 0
    assert logs(missing, LogOptions()) == 1
    told = capsys.readouterr()
    assert told.out == f"not running: there is no folder {missing}\nnot running: there is no folder {missing}\n"
    assert str(missing) in told.err


def test_a_second_up_says_what_runs(tmp_path: Path, capsys: Output) -> None:
    with data_lock(tmp_path):
        write_state(tmp_path, STATE)
        for run in (commands.up, commands.up_detached):
            assert run(tmp_path, 2, as_json=False) == 0
            told = capsys.readouterr()
            assert f"already running (supervisor {os.getpid()})" in told.err
            assert "http://i" in told.out


def test_down_with_nothing_running_is_no_failure(tmp_path: Path, capsys: Output) -> None:
    assert commands.down(tmp_path, as_json=False) == 0
    assert capsys.readouterr().out == "not running\n"
