"""Processes that stand still: SIGSTOP, and the wait until it has stopped every thread.

The signal is not instant: a thread in a system call, or on another core, runs on for a moment. A test that asks a
server as soon as the signal is sent may still get its answer.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.patience import PATIENCE_SECONDS

PROC = Path("/proc")
STOPPED = "T"
POLL_SECONDS = 0.002


def states(pid: int, proc: Path = PROC) -> list[str]:
    """The state of each thread, as proc(5) names it. Empty where the process is gone."""
    found = []
    for thread in sorted((proc / str(pid) / "task").glob("*/stat")):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended since
            # A thread's name is in parentheses and may have any character.
            found.append(thread.read_text(errors="replace").rpartition(")")[2].split()[0])
    return found


def is_frozen(pid: int, proc: Path = PROC) -> bool:
    """Whether every thread is stopped."""
    return set(states(pid, proc)) == {STOPPED}


def freeze(pid: int) -> None:
    """Stop a process. Returns when all its threads stand still."""
    os.kill(pid, signal.SIGSTOP)
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not is_frozen(pid):
        assert time.monotonic() < give_up, f"process {pid} was not stopped: {states(pid)}"
        time.sleep(POLL_SECONDS)


def thaw(pid: int) -> None:
    os.kill(pid, signal.SIGCONT)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process is stopped within this block."""
    try:
        freeze(pid)
        yield
    finally:
        thaw(pid)
