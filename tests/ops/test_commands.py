"""down, status and logs."""

import json
import os
from pathlib import Path

import pytest

from ops.local import commands
from ops.local.state import hold, write_state
from tests.ops.test_state import STATE

Output = pytest.CaptureFixture[str]


def test_the_status_of_nothing_is_3(tmp_path: Path, capsys: Output) -> None:
    assert commands.status(tmp_path, as_json=True) == 3
    assert json.loads(capsys.readouterr().out) == {"phase": "stopped"}


def test_the_status_of_a_ready_system_is_0(tmp_path: Path, capsys: Output) -> None:
    with hold(tmp_path):
        assert commands.status(tmp_path, as_json=False) == 3
        assert capsys.readouterr().out == "starting\n"
        write_state(tmp_path, STATE)
        assert commands.status(tmp_path, as_json=True) == 0
        told = json.loads(capsys.readouterr().out)
    assert (told["kafka"], told["mongodb"], told["ingress"]) == ("k:1", "mongodb://m", "http://i")
    assert told["workers"] == [{"pid": 11, "metrics": "http://w"}]


def test_a_second_up_says_what_runs(tmp_path: Path, capsys: Output) -> None:
    with hold(tmp_path):
        write_state(tmp_path, STATE)
        for run in (commands.up, commands.up_detached):
            assert run(tmp_path, 2, as_json=False) == 0
            told = capsys.readouterr()
            assert f"already running (supervisor {os.getpid()})" in told.err
            assert "http://i" in told.out


def test_down_with_nothing_running_is_no_failure(tmp_path: Path, capsys: Output) -> None:
    assert commands.down(tmp_path, as_json=False) == 0
    assert capsys.readouterr().out == "nothing runs\n"


def test_logs_show_the_end_of_one_or_of_all(tmp_path: Path, capsys: Output) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "kafka.log").write_text("one\ntwo\nthree\n")
    (folder / "ingress.log").write_text("four\n")
    assert commands.logs(tmp_path, "kafka", lines=2, follow=False) == 0
    assert capsys.readouterr().out == "two\nthree\n"
    assert commands.logs(tmp_path, None, lines=1, follow=False) == 0
    assert capsys.readouterr().out.splitlines() == ["ingress     four", "kafka       three"]


def test_a_log_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "kafka.log").touch()
    assert commands.logs(tmp_path, "kafkaa", lines=2, follow=False) == 1
    assert "no log of kafkaa" in (told := capsys.readouterr().err)
    assert "there are kafka" in told
