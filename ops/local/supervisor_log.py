"""What the supervisor does: in logs/supervisor.log, in the form of the other logs, and on its terminal."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ops.local.servers.processes import open_log
from ops.output import complain

SUPERVISOR_LOG = "supervisor.log"

STDERR = 2


class SupervisorLog:
    """Writes one line an event."""

    def __init__(self, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._path = logs / SUPERVISOR_LOG

    def info(self, event: str) -> None:
        self._write("info", event)

    def warning(self, event: str) -> None:
        self._write("warning", event)

    def _write(self, level: Literal["info", "warning"], event: str) -> None:
        entry = {"event": event, "level": level, "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z")}
        with open_log(self._path) as log:
            is_stderr = _is_stderr(log.fileno())
            log.write(f"{json.dumps(entry, ensure_ascii=False)}\n".encode())
        if not is_stderr:
            complain(f"{time.strftime('%H:%M:%S')} {event}")


def _is_stderr(log: int) -> bool:
    """Whether standard error is this very file, as with `up --detach`."""
    try:
        return os.path.samestat(os.fstat(log), os.fstat(STDERR))
    except OSError:  # it is closed
        return False
