"""What `status` asks each process of a system: one real question, answered in plain words within a time-out.

Every probe blocks and is run in a thread of its own (health.py). None raises: a server that fails is an answer.
"""

import http.client
import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

AnswerState = Literal["ready", "not ready", "no answer"]

# How long one question may take. All are asked side by side, so this is how long `status` takes at most, and a little.
ANSWER_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What one process says of itself; `detail` names what is missing, or why there is no answer."""

    state: AnswerState
    detail: str = ""


READY = Answer("ready")


def why_no_answer(error: Exception) -> str:
    """The reason a connection failed, in plain words."""
    if isinstance(error, TimeoutError):
        return f"no answer within {ANSWER_SECONDS:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there (connection refused)"
    if isinstance(error, socket.gaierror):
        return "its name is unknown to DNS"
    if isinstance(error, ConnectionError | EOFError | http.client.HTTPException):
        return "it closed the connection without an answer"
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it is not reachable"


def http_state(url: str) -> Answer:
    """What an ingress, console or worker says: both /livez and /readyz must be 200. `url` is its address."""
    deadline = time.monotonic() + ANSWER_SECONDS
    try:
        alive = _get(url, "/livez", deadline)
        ready = _get(url, "/readyz", deadline)
    except (OSError, http.client.HTTPException) as error:
        return Answer("no answer", why_no_answer(error))
    if alive[0] != http.client.OK:
        return Answer("not ready", _missing("it says that it is not alive (/livez)", alive))
    if ready[0] != http.client.OK:
        return Answer("not ready", _missing("it says that it is not ready (/readyz)", ready))
    return READY


def _get(url: str, path: str, deadline: float) -> tuple[int, bytes]:
    """One GET, past any proxy."""
    left = max(0.01, deadline - time.monotonic())
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=left)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read(64 * 1024)
    finally:
        connection.close()


def _missing(says: str, reply: tuple[int, bytes]) -> str:
    """What the body of a 503 names, if it names anything."""
    try:
        told: Any = json.loads(reply[1])
    except ValueError:
        return f"{says}: HTTP {reply[0]}"
    missing = told.get("missing") if isinstance(told, dict) else None
    return f"missing: {', '.join(map(str, missing))}" if isinstance(missing, list) and missing else says


def is_frozen(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process is stopped (SIGSTOP, a debugger): it neither answers nor dies. False where nothing tells."""
    try:
        # A name stands in brackets and may hold any character.
        return (proc / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[0] in ("T", "t")
    except (OSError, IndexError):
        return False
