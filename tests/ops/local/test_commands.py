"""up, down and status."""

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ops.config import DATA_VARIABLE, FILE_VARIABLE, Settings
from ops.local import commands
from ops.local.commands import UpOptions
from ops.local.logs.command import LogOptions, logs
from ops.local.running_options import OPTIONS_NAME, WORKERS, options_of, write_options
from ops.local.servers.source import Sources, settings_of_user
from ops.local.state import data_lock, write_state
from ops.local.status.health import Health, ProcessNow, Said
from ops.output import redrawing
from tests.ops.local.logs.test_logs_command import Terminal
from tests.ops.local.test_state import STATE
from tests.patience import PATIENCE_SECONDS

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
    health = Health([ProcessNow("kafka", said, "", "k:1", 12)], {"balance": {}, "lost": [], "perhaps_lost": []})
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


def test_a_watched_status_is_a_block_after_the_other_and_ends_with_the_last_exit_status(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends it."""
    shown = iter([("ready", 0), ("not ready", 1)])

    def status_now(*_: object, **__: object) -> tuple[str, int]:
        try:
            return next(shown)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(commands, "status_now", status_now)
    monkeypatch.setattr(commands, "WATCH_SECONDS", 0)
    assert 1 == commands.watch_status(tmp_path, as_json=False)
    assert "ready\n\nnot ready\n" == capsys.readouterr().out
    assert 130 == commands.watch_status(tmp_path, as_json=True), "before there was one"


def test_a_watched_status_on_a_terminal_is_drawn_over_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", shown := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    with redrawing() as draw:
        draw("ready\nfirst")
        draw(f"not ready\nsecond\n  {'x' * 100}")
    first, second = shown.getvalue().partition("first")[::2]
    assert f"  {'x' * 37}…" in second, "a row is one line"
    assert "\x1b[1A" not in first
    assert "\x1b[1A" in second.partition("second")[0], "the cursor goes up"


def test_a_watched_system_that_does_not_run_is_3(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may start later."""
    naps = iter([0, KeyboardInterrupt()])

    def sleep(_seconds: float) -> None:
        if isinstance(nap := next(naps), BaseException):
            raise nap

    monkeypatch.setattr(commands, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=sleep))
    assert 3 == commands.watch_status(tmp_path, as_json=True)
    assert [{"phase": "stopped"}] * 2 == [json.loads(one) for one in capsys.readouterr().out.splitlines()]


def test_a_command_ends_though_a_thread_of_it_does_not() -> None:
    """As one that asks DNS for a name: Python would wait for it."""
    program = (
        "import time; from concurrent.futures import ThreadPoolExecutor; from ops.output import leave, say\n"
        "ThreadPoolExecutor().submit(time.sleep, 3600); say('told'); leave(3)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    assert (3, "told\n") == (ran.returncode, ran.stdout)


def test_lost_records_are_the_first_line_of_status(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before whether anything runs."""
    health = Health([], {"balance": {}, "lost": ["t, partition 0: offsets 1 to 2"], "perhaps_lost": []})
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


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a system that this process seems to run, with two workers and usual settings."""
    for name in [name for name in os.environ if name.startswith("TALLYMILL_")]:
        monkeypatch.delenv(name)
    with data_lock(tmp_path):
        write_options(tmp_path, options_of({WORKERS: 2}, settings_of_user()))
        write_state(tmp_path, STATE)
        yield tmp_path


@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize("workers", [None, 2])
def test_a_second_up_says_what_runs(running: Path, capsys: Output, workers: int | None, *, detach: bool) -> None:
    """Also with the options that the system has. Options that are not given may be any."""
    assert commands.up(UpOptions(running, workers, detach)) == 0
    told = capsys.readouterr()
    assert f"already running (supervisor {os.getpid()})" in told.err
    assert "http://i" in told.out


@pytest.mark.parametrize("detach", [False, True])
def test_a_second_up_with_other_options_names_them_and_fails(
    running: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch, *, detach: bool
) -> None:
    """Of the command line, of the environment and of a file. No secret is shown. Nothing looks like an answer."""
    file = running / "user.toml"
    file.write_text("[kafka]\npartitions = 60\ngroup = 'tallymill'\n")
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    monkeypatch.setenv("TALLYMILL_INGRESS__PORT", "8080")  # as it runs
    monkeypatch.setenv("TALLYMILL_SIGNING__KEYS", '["a secret that is long enough to be a key"]')
    assert commands.up(UpOptions(running, 3, detach)) == 1
    out, err = capsys.readouterr()
    first, other, *lines, stop = err.splitlines()
    assert ("", "It has other options:") == (out, other)
    assert ["  --workers: 2, not 3", "  kafka.partitions: 6, not 60", "  signing.keys: another value"] == lines
    assert "already running" in first
    assert "tallymill down" in stop


def test_a_second_up_without_the_options_of_the_first_is_content(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not asked for is not compared: `up` in another shell shows what runs."""
    for name in [name for name in os.environ if name.startswith("TALLYMILL_")]:
        monkeypatch.delenv(name)
    settings = Settings.model_validate({"ingress": {"port": 9000}, "kafka": {"partitions": 60}})
    with data_lock(tmp_path):
        write_options(tmp_path, options_of({WORKERS: 4}, settings))
        write_state(tmp_path, STATE)
        assert commands.up(UpOptions(tmp_path)) == 0
    assert "http://i" in capsys.readouterr().out


def test_a_second_up_with_wrong_settings_names_them(
    running: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYMILL_INGRESS__PORTT", "1")
    assert commands.up(UpOptions(running)) == 2
    assert "TALLYMILL_INGRESS__PORTT: no such setting. Did you mean TALLYMILL_INGRESS__PORT?" in capsys.readouterr().err


def test_only_the_owner_reads_the_options_of_a_system(running: Path) -> None:
    """Secrets are kept as hashes, and may be guessed from these."""
    assert 0o600 == stat.S_IMODE((running / OPTIONS_NAME).stat().st_mode)
    key = "a secret that is long enough to be a key"
    options = options_of({}, Settings.model_validate({"signing": {"keys": [key]}}))
    assert key not in str(options)


def test_it_is_said_how_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other commands must find the folder: it is the usual one, or the variable names it."""
    monkeypatch.setattr("sys.argv", ["pytest"])
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    assert "Ctrl-C" == commands.stop_text(Path(".tallymill"), is_detached=False)
    assert "tallymill down" == commands.stop_text(Path(".tallymill"), is_detached=True)
    odd = tmp_path / "an odd folder"
    assert f"export TALLYMILL_DATA='{odd}'; tallymill down" == commands.stop_text(odd, is_detached=True)
    assert f"export TALLYMILL_DATA='{odd}'" in commands.stop_text(odd, is_detached=False)
    monkeypatch.setenv(DATA_VARIABLE, str(odd))
    assert "tallymill down" == commands.stop_text(odd, is_detached=True)


def test_a_command_that_no_shell_finds_is_named_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.argv", [str(Path.cwd() / ".venv" / "bin" / "tallymill")])
    assert ".venv/bin/tallymill" == commands.own_name()


def test_down_with_nothing_running_is_no_failure(tmp_path: Path, capsys: Output) -> None:
    assert commands.down(tmp_path, as_json=False) == 0
    assert capsys.readouterr().out == "not running\n"


def test_a_data_folder_that_cant_be_written_is_told_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the folder, the reason and what to do. Nothing is downloaded and nothing starts."""
    (tmp_path / "file").touch()
    data = tmp_path / "file" / "deep" / "data"
    assert 1 == commands.up(UpOptions(data))
    told = capsys.readouterr().err
    assert f"The data folder {data} can't be written: Not a directory. Choose another one with --data\n" == told


def test_a_disk_that_is_almost_full_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Servers would start, and never be ready."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5 << 20))
    assert 1 == commands.up(UpOptions(tmp_path / "data"))
    assert (
        f"The disk of {tmp_path / 'data'} has 5 MiB left, too few to start. Choose another one with --data\n"
    ) == capsys.readouterr().err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_becomes_full_during_the_start_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    """What has started stops, and no trace is shown."""

    def full(*_: object) -> None:
        raise OSError(number, "No space left")

    monkeypatch.setattr("ops.local.supervisor.write_options", full)
    monkeypatch.setattr("ops.local.commands.present_sources", lambda _: Sources("settings", "settings"))
    monkeypatch.setattr("ops.local.supervisor.on_signals", lambda *_: None)
    monkeypatch.setattr("ops.local.commands.on_signals", lambda *_: None)
    assert 1 == commands.up(UpOptions(tmp_path))
    assert f"The data folder {tmp_path} can't be written: No space left." in capsys.readouterr().err
