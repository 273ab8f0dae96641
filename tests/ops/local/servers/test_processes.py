"""Children: started, stopped, and never left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import pytest

from ops.local.restart import MAX_DELAY_SECONDS, restart_delay_seconds
from ops.local.servers import processes
from ops.local.servers.processes import Children, NotReadyError, Program, StoppedError, last_lines, wait_until
from ops.local.servers.watchdog import groups_left
from ops.local.state import Run
from ops.local.watch import Watch, ending
from tests.patience import PATIENCE_SECONDS

SLEEP = Program("sleep", ("sleep", "3600"), stop_seconds=PATIENCE_SECONDS)
DEAF = Program("deaf", ("sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"), stop_seconds=0.2)


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the latter where it goes while it is being read
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def goes(pid: int) -> bool:
    """Whether it ends by itself."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while is_alive(pid) and time.monotonic() < give_up:
        time.sleep(0.02)
    return not is_alive(pid)


def test_a_child_is_stopped_with_its_owner(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        pid = children.start(SLEEP).pid
        assert is_alive(pid)
    assert not is_alive(pid)


def test_a_child_that_does_not_listen_is_killed_in_time(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        child = children.start(DEAF)
        wait_until(lambda: "deaf" in last_lines(child.log), child, "deaf", seconds=PATIENCE_SECONDS)
        children.stop([child])
        assert child.exit_status() == -signal.SIGKILL


def test_nothing_outlives_an_owner_that_was_killed(tmp_path: Path) -> None:
    """Not even a grandchild: the watchdog kills whole groups."""
    program = (
        "import sys, time; from pathlib import Path; from ops.local.servers.processes import Children, Program\n"
        "children = Children(Path(sys.argv[1]))\n"
        "children.start(Program('parent', ('sh', '-c', 'sleep 3600 & echo $! $$; wait')))\n"
        "time.sleep(3600)"
    )
    log = tmp_path / "parent.log"
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) as owner:
        wait_until(lambda: len(last_lines(log).split()) == 2, None, "the child", seconds=PATIENCE_SECONDS)
        pids = [int(word) for word in last_lines(log).split()]
        owner.kill()
    assert [goes(pid) for pid in pids] == [True, True]


def test_the_watchdog_forgets_those_that_were_stopped() -> None:
    assert {2} == groups_left([b"+1\n", b"+2\n", b"-1\n", b"nonsense\n", b"+\n"])


def test_a_wait_ends_with_the_child_and_shows_its_log(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        child = children.start(Program("broken", ("sh", "-c", "echo no such luck; exit 3")))
        with pytest.raises(NotReadyError, match=r"broken ended with exit status 3. The end of .*:\nno such luck"):
            wait_until(lambda: False, child, "broken", seconds=PATIENCE_SECONDS)


def test_a_wait_is_bounded(tmp_path: Path) -> None:
    with Children(tmp_path) as children, pytest.raises(NotReadyError, match=r"sleep did not answer within 0.1 s"):
        wait_until(lambda: False, children.start(SLEEP), "sleep", seconds=0.1)


def test_a_wait_ends_when_somebody_asks_to_stop() -> None:
    stop = Event()
    stop.set()
    with pytest.raises(StoppedError):
        wait_until(lambda: False, None, "nothing", seconds=10, stop=stop)


def test_a_large_log_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "MAX_LOG_BYTES", 10)
    log = tmp_path / "sleep.log"
    log.write_text("more than ten bytes")
    with Children(tmp_path) as children:
        children.start(SLEEP)
    assert (tmp_path / "sleep.log.1").read_text() == "more than ten bytes"
    assert not log.read_text()


def test_the_pause_before_a_restart_grows_and_is_bounded() -> None:
    assert [restart_delay_seconds([100.0] * deaths, now=101) for deaths in (1, 2, 3)] == [0.5, 1, 2]
    assert restart_delay_seconds([100.0] * 50, now=101) == MAX_DELAY_SECONDS


def test_old_deaths_are_forgiven() -> None:
    assert restart_delay_seconds([1.0, 2.0, 100.0], now=101) == 0.5


def test_a_child_that_dies_is_started_again_and_told_of(tmp_path: Path) -> None:
    said: list[str] = []
    with Children(tmp_path) as children:
        watch = Watch(children, said.append)
        child = children.start(SLEEP)
        watch.add(child)
        assert {"sleep": Run(child.started_millis, 0)} == watch.runs()
        assert not watch.step(now=100)
        os.kill(child.pid, signal.SIGKILL)
        child.process.wait()
        assert watch.step(now=100)
        assert watch.pid("sleep") is None
        assert {"sleep": Run(None, 0)} == watch.runs()
        assert not watch.step(now=100.4), "before it is due"
        assert watch.step(now=100.5)
        assert watch.pid("sleep") not in (None, child.pid)
        run = watch.runs()["sleep"]
        assert (True, 1) == (run.since_millis is not None and run.since_millis >= child.started_millis, run.restarts)
    assert "sleep ended (killed by signal 9). It starts again in 0.5 s" in said[0]
    assert "sleep is started again" in said[1]


def test_an_ending_is_told_in_words() -> None:
    assert (ending(-15), ending(1)) == ("killed by signal 15", "exit status 1")
