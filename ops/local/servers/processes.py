"""Child processes: each in a new session, known to a watchdog, and stopped by process id, never by name."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import BinaryIO, Self

from ops.local.servers import watchdog
from ops.private_file import FILE_FOR_THE_OWNER, private_folder

# A larger log is renamed when its writer starts, so there are at most two files of about this size.
MAX_LOG_BYTES = 8 << 20

POLL_SECONDS = 0.05

# The child sends its id to the watchdog before it becomes the program, so a parent killed in between leaves nothing.
_TELL_AND_BECOME = 'echo "+$$" >&0 && exec "$@" </dev/null'


# For grandchildren that start Python: they must not import from the current folder either.
SAFE_PATH = {"PYTHONSAFEPATH": "1"}


class NotReadyError(Exception):
    """A child ended or did not answer in time. The message names it and quotes its log."""


class StoppedError(Exception):
    """A signal came while the start was waiting."""


def own_command(*words: str) -> tuple[str, ...]:
    """A `tallymill` command, run by the same interpreter.

    `-P`: otherwise `-m` would first search `ops` and its imports in the current folder. `-E`, which ignores PYTHONPATH
    and PYTHONHOME: as this process, whose script pipx starts so.
    """
    alike = ("-E",) if sys.flags.ignore_environment else ()
    return (sys.executable, *alike, "-P", "-m", "ops", *words)


@dataclass(frozen=True, slots=True)
class Program:
    """A program: everything needed to start it, and to start it again."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)  # added to this process's environment
    stop_seconds: float = 10  # then it is killed


@dataclass(frozen=True, slots=True)
class Child:
    """A program that was started."""

    program: Program
    process: "subprocess.Popen[bytes]"
    log: Path
    started_millis: int = field(default_factory=lambda: time.time_ns() // 1_000_000)

    @property
    def pid(self) -> int:
        return self.process.pid

    def exit_status(self) -> int | None:
        return self.process.poll()


class Children:
    """Starts programs. None of them outlives this object, nor the process that has it."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        private_folder(logs)
        read, self._pipe = os.pipe()
        command = [sys.executable, "-I", "-S", watchdog.__file__]
        self._watchdog = subprocess.Popen(command, stdin=read, start_new_session=True)  # noqa: S603 our own file
        os.close(read)
        self._running: dict[int, Child] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, program: Program) -> Child:
        """Start a program; its output goes to logs/NAME.log."""
        log = self._logs / f"{program.name}.log"
        with open_log(log) as output:
            process = subprocess.Popen(  # noqa: S603 the programs are ours
                ["/bin/sh", "-c", _TELL_AND_BECOME, program.name, *program.command],
                stdin=self._pipe,
                stdout=output,
                stderr=output,
                env={**os.environ, **SAFE_PATH, **program.environ},
                start_new_session=True,
            )
        child = Child(program, process, log)
        self._running[process.pid] = child
        return child

    def stop(self, children: Iterable[Child]) -> None:
        """Send SIGTERM to all, then kill those that did not end in their time."""
        stopping = [child for child in children if child.pid in self._running]
        for child in stopping:
            _signal_group(child.pid, signal.SIGTERM)
        asked = time.monotonic()
        for child in stopping:
            left = asked + child.program.stop_seconds - time.monotonic()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(left, 0))
            self.forget(child)

    def forget(self, child: Child) -> None:
        """Kill what is left of the child's group, and remove it from the watchdog's list."""
        _signal_group(child.pid, signal.SIGKILL)
        child.process.wait()
        self._running.pop(child.pid, None)
        os.write(self._pipe, f"-{child.pid}\n".encode())

    def kill_all(self) -> None:
        """Kill all at once: for the second Ctrl-C, from within a signal handler."""
        for pid in tuple(self._running):
            _signal_group(pid, signal.SIGKILL)

    def close(self) -> None:
        """Stop everything that still runs, the last started first, then the watchdog."""
        for child in reversed(tuple(self._running.values())):
            self.stop([child])
        os.close(self._pipe)
        self._watchdog.wait()


def open_log(path: Path) -> BinaryIO:
    """The log to append to, which only the owner can read. A large one is renamed first."""
    if path.exists():
        path.chmod(FILE_FOR_THE_OWNER)  # an earlier version made it readable for all
        if path.stat().st_size > MAX_LOG_BYTES:
            path.replace(path.with_name(path.name + ".1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, FILE_FOR_THE_OWNER), "ab")


def wait_until(
    answers: Callable[[], bool], child: Child | None, what: str, *, seconds: float, stop: Event | None = None
) -> None:
    """Wait until something answers. Raises NotReadyError if it does not in time or its child dies, StoppedError."""
    give_up = time.monotonic() + seconds
    while not answers():
        if stop and stop.is_set():
            raise StoppedError(what)
        if child and (status := child.exit_status()) is not None:
            raise NotReadyError(
                f"{what} ended with exit status {status}. The end of {child.log}:\n{last_lines(child.log)}"
            )
        if time.monotonic() > give_up:
            log = f". The end of {child.log}:\n{last_lines(child.log)}" if child else ""
            raise NotReadyError(f"{what} did not answer within {seconds:g} s{log}")
        time.sleep(POLL_SECONDS)


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log, for a message about what went wrong."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 64 * 1024))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-count:])


def _signal_group(pid: int, number: signal.Signals) -> None:
    """The group has the id of its first process, which stays valid until this process has waited for it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
