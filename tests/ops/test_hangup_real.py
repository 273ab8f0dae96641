"""SIGHUP to a real process: from an operator, and from a terminal that was closed."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import termios
import time
from pathlib import Path
from typing import Any

import pytest

from ops.config import DATA_VARIABLE, PREFIX
from ops.local.servers.processes import own_command
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.slow

CANARY = {"URL": "http://127.0.0.1:9", "METRICS_PORT": "0"}


def has_logged(log: Path, event: str) -> dict[str, Any]:
    """The line, once it is there."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        for line in log.read_text().splitlines():
            if line.startswith("{") and json.loads(line)["event"] == event:
                found: dict[str, Any] = json.loads(line)
                return found
        time.sleep(0.02)
    pytest.fail(log.read_text())


def test_a_signal_renews_and_a_closed_terminal_stops(tmp_path: Path) -> None:
    """A canary that was started by hand. It needs no server to run; all processes handle signals in the same way."""
    token, log = tmp_path / "token", tmp_path / "log"
    token.write_text("old")
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    given = {f"TALLYMILL_CANARY__{name}": value for name, value in CANARY.items()}
    given |= {"TALLYMILL_SECRETS_DIR": str(tmp_path / "secrets"), DATA_VARIABLE: os.devnull}
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "canary.token").write_text("old-token\n")
    terminal, end = pty.openpty()
    with log.open("wb") as output:
        process = subprocess.Popen(
            own_command("canary"),
            env={**own, **given},
            stdin=end,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
    os.close(end)
    try:
        has_logged(log, "listening")
        (tmp_path / "secrets" / "canary.token").write_text("new-token\n")
        os.kill(process.pid, signal.SIGHUP)
        assert ["canary.token"] == has_logged(log, "secrets_renewed")["changed"]
        assert process.poll() is None
        os.close(terminal)
        assert 0 == process.wait(PATIENCE_SECONDS)
        assert "SIGTERM" == has_logged(log, "stopping")["signal"]
        assert "new-token" not in log.read_text()
    finally:
        process.kill()
        process.wait()
