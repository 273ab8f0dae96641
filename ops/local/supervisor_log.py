"""What the supervisor does: in logs/supervisor.log, in the form of the other logs, and on its terminal."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ops.local.servers.processes import open_log
from ops.output import complain, phase
from ops.private_file import private_folder

SUPERVISOR_LOG = "supervisor.log"

STDERR = 2


class SupervisorLog:
    """Writes one line an event."""

    def __init__(self, logs: Path) -> None:
        private_folder(logs)
        self._path = logs / SUPERVISOR_LOG

    def info(self, event: str) -> None:
        self._write("info", event)

    def warning(self, event: str) -> None:
        self._write("warning", event)

    @contextmanager
    def phase(self, what: str) -> Iterator[None]:
        """A part of the start: shown on the terminal while it lasts, and in the log when it is over."""
        began = time.monotonic()
        with nullcontext() if _is_stderr_of(self._path) else phase(what):
            yield
        self._append("info", f"{what}: {time.monotonic() - began:.1f} s")

    def _write(self, level: Literal["info", "warning"], event: str) -> None:
        self._append(level, event)
        if not _is_stderr_of(self._path):
            complain(f"{time.strftime('%H:%M:%S')} {event}")

    def _append(self, level: str, event: str) -> None:
        entry = {"event": event, "level": level, "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z")}
        # The terminal has it all the same if the disk is full.
        with suppress(OSError), open_log(self._path) as log:
            log.write(f"{json.dumps(entry, ensure_ascii=False)}\n".encode())


def _is_stderr_of(log: Path) -> bool:
    """Whether standard error is this very file, as with `up --detach`."""
    try:
        return os.path.samestat(log.stat(), os.fstat(STDERR))
    except OSError:  # there is no log yet, or standard error is closed
        return False
