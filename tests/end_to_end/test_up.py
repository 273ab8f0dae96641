"""`tallymill up` in the foreground."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.running import COMMAND_SECONDS, System, finish, until
from tests.ops.local.servers.test_processes import goes

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


@pytest.fixture
def open_umask() -> Iterator[None]:
    """What is not closed is open to all."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_ctrl_c_leaves_no_process_and_no_open_file(tmp_path: Path) -> None:
    """All processes are stopped in order, and `status` shows it. What they have written is the owner's alone."""
    system = System(tmp_path / "data")
    with system.start("up", "--workers=2") as process:
        try:
            until(lambda: system.status()["phase"] == "ready" or process.poll() is not None, "ready", COMMAND_SECONDS)
            pids = system.pids()
            process.send_signal(signal.SIGINT)
            status, _, told = finish(process)
        finally:
            process.terminate()
    assert 0 == status, told
    assert 7 == len(pids)
    assert [] == [pid for pid in pids if not goes(pid)]
    assert 3 == system.run("status")[0]
    assert "not running\n" == system.run("down")[1]
    written = [tmp_path / "data", *(tmp_path / "data").rglob("*")]
    assert {"supervisor.log", "kafka.log", "mongodb.log", "WiredTiger", "state.lock"} & {one.name for one in written}
    assert [] == [str(one) for one in written if not one.is_symlink() and one.lstat().st_mode & 0o077]


def test_bad_settings_start_nothing(tmp_path: Path) -> None:
    """A misspelt setting in either form of `up`: exit status 2, and no lock, state or server under the data folder."""
    (tmp_path / "bad.toml").write_text("[kafka]\ngruop = 1\n")
    system = System(tmp_path / "data")
    told = f"kafka.gruop: no such setting (set by {tmp_path / 'bad.toml'}). Did you mean kafka.group?\n"
    for words in (("up",), ("up", "--detach")):
        assert (2, "", told) == system.run(*words, settings_file=tmp_path / "bad.toml")
    assert not (tmp_path / "data").exists()
