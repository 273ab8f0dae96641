"""A process that got SIGSTOP has stopped, with every thread."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.frozen import frozen, is_frozen, states

ROOT = Path(__file__).parent

THREADS = 8
BUSY = f"""
import threading
def work():
    while True:
        sum(range(1000))
for _ in range({THREADS - 1}):
    threading.Thread(target=work, daemon=True).start()
print("at work", flush=True)
work()
"""


@contextmanager
def busy() -> Iterator[int]:
    """A process with threads that run all the time."""
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert "at work\n" == process.stdout.readline()
            yield process.pid
        finally:
            process.kill()


def test_every_thread_of_a_frozen_process_is_stopped() -> None:
    """At once when the block begins, as often as it is tried."""
    with busy() as pid:
        for _ in range(10):
            with frozen(pid):
                assert ["T"] * THREADS == states(pid)
        assert not is_frozen(pid)


@pytest.mark.parametrize(
    ("threads", "expected"), [("TT", True), ("TR", False), ("RT", False), ("TS", False), ("TZ", False), ("", False)]
)
def test_one_thread_that_runs_on_is_not_frozen(tmp_path: Path, threads: str, expected: bool) -> None:  # noqa: FBT001
    """Nor is a process that is gone. A thread's name may hold anything, brackets too."""
    for number, state in enumerate(threads):
        task = tmp_path / "7" / "task" / str(number)
        task.mkdir(parents=True)
        (task / "stat").write_text(f"{number} (a ) T name) {state} 1 2 3")
    assert expected is is_frozen(7, tmp_path)


def test_nothing_else_sends_the_signal() -> None:
    """Otherwise nothing would wait. A process that stops itself gets the number, and `frozen` waits for it."""
    sends = re.compile(r"(kill|send|send_signal)\([^)\n]*SIG(STOP|TSTP)")
    files = [file for folder in ("tests", "bench", "ops") for file in sorted((ROOT.parent / folder).rglob("*.py"))]
    waiting = [ROOT / "consumer" / "processes.py", ROOT / "frozen.py"]
    assert waiting == [file for file in files if sends.search(file.read_text())]
