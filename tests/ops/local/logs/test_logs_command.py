"""`tallymill logs`."""

import io
import json
import signal
import subprocess
from pathlib import Path

import pytest

from ops.local.logs.command import LogOptions, logs
from ops.local.servers.processes import own_command
from tests.patience import PATIENCE_SECONDS

Output = pytest.CaptureFixture[str]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def line(event: str, second: int, level: str = "info", **keys: object) -> str:
    return json.dumps({"event": event, "level": level, "timestamp": f"2026-11-28T12:00:{second:02}Z", **keys}) + "\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "kafka.log").write_text("2026-11-28T12:00:03.000Z WARN  Broker: slow\n")
    (folder / "worker-1.log").write_text(line("a", 1) + line("b", 4, "error", reason="no \x1b[2J answer", n=7))
    (folder / "worker-2.log").write_text(line("c", 2))
    return tmp_path


def told(capsys: Output, data: Path, options: LogOptions) -> list[tuple[str, str]]:
    """Process and event of each JSON line."""
    assert 0 == logs(data, options)
    found = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    return [(one["process"], one["event"]) for one in found]


def test_all_logs_are_one_by_time_as_json_where_it_is_piped(data: Path, capsys: Output) -> None:
    expected = [("worker-1", "a"), ("worker-2", "c"), ("kafka", "Broker: slow"), ("worker-1", "b")]
    assert expected == told(capsys, data, LogOptions())
    assert expected[1:] == told(capsys, data, LogOptions(lines=1))
    assert expected[2:] == told(capsys, data, LogOptions(level="warning"))
    assert expected[2:] == told(capsys, data, LogOptions(since="2026-11-28T12:00:03"))
    assert expected[3:] == told(capsys, data, LogOptions(["worker"], level="warning"))
    assert expected[:2] == told(capsys, data, LogOptions(["worker-1", "worker-2"], level="info"))[:2]
    assert [] == told(capsys, data, LogOptions(lines=0))
    assert [] == told(capsys, data, LogOptions(since="1s"))


def test_a_level_counts_before_a_number_of_lines(data: Path, capsys: Output) -> None:
    """The last warning of each log, not the warnings among the last lines."""
    (data / "logs" / "kafka.log").write_text(
        "2026-11-28T12:00:03.000Z WARN  x\n" + "2026-11-28T12:00:04.000Z INFO  y\n"
    )
    assert [("kafka", "x")] == told(capsys, data, LogOptions(["kafka"], lines=1, level="warning"))


def test_a_terminal_shows_time_level_process_event_and_keys(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one line each, and no key can control it."""
    monkeypatch.setattr("sys.stdout", shown := Terminal())
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "dumb")
    assert 0 == logs(data, LogOptions(["worker-1"]))
    first, second = shown.getvalue().splitlines()
    assert ["2026-11-28T12:00:01.000Z", "info", "worker-1", "a"] == first.split()
    assert r'2026-11-28T12:00:04.000Z  error     worker-1    b reason="no \u001b[2J answer" n=7' == second


def test_a_log_that_does_not_exist_is_named_with_those_that_do(data: Path, capsys: Output) -> None:
    assert 1 == logs(data, LogOptions(["kafkaa", "worker"]))
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("There is no log of kafkaa in ")
    assert said.endswith("Known logs: kafka, worker-1, worker-2. Did you mean kafka?")


def test_a_time_that_is_none_is_bad_input(data: Path, capsys: Output) -> None:
    assert 2 == logs(data, LogOptions(since="yesterday"))
    assert "--since yesterday: must be like 30s, 10m, 2h or 1d" in capsys.readouterr().err


def test_a_level_that_is_none_is_bad_input(data: Path) -> None:
    command = own_command("logs", "--level=loud", f"--data={data}")
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    assert (2, True) == (ran.returncode, "--level" in ran.stderr)


def test_follow_goes_on_until_ctrl_c(data: Path) -> None:
    """Of a new process too. Nothing is printed twice."""
    command = own_command("logs", "--follow", "--level=warning", "--process=worker", f"--data={data}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert "b" == json.loads(process.stdout.readline())["event"]
            (data / "logs" / "worker-3.log").write_text(line("quiet", 5) + line("loud", 6, "warning"))
            found = json.loads(process.stdout.readline())
            assert ("worker-3", "loud") == (found["process"], found["event"])
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()
    assert ("", 0) == (rest, process.returncode)
