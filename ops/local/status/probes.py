"""The questions that `status` asks processes, each with a time-out.

A probe blocks, so it runs in its own thread (health.py). It never raises: a failure is an answer.
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
    """The answer of one process. `detail`: what is missing, or why there is no answer."""

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
        return "DNS does not know the host name"
    if isinstance(error, ConnectionError | EOFError | http.client.HTTPException):
        return "it closed the connection without an answer"
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it can't be reached"


def http_state(url: str, alive_path: str = "/livez", ready_path: str = "/readyz") -> Answer:
    """The state of a process that serves HTTP: both paths must answer 200."""
    deadline = time.monotonic() + ANSWER_SECONDS
    try:
        alive = _get(url, alive_path, deadline)
        ready = _get(url, ready_path, deadline)
    except (OSError, http.client.HTTPException) as error:
        return Answer("no answer", why_no_answer(error))
    if alive[0] != http.client.OK:
        return Answer("not ready", _missing(f"it answers that it is not alive ({alive_path})", alive))
    if ready[0] != http.client.OK:
        return Answer("not ready", _missing(f"it answers that it is not ready ({ready_path})", ready))
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
    """What the body of a 503 names as missing, or `says` if it names nothing."""
    try:
        body: Any = json.loads(reply[1])
    except ValueError:
        return f"{says}: HTTP {reply[0]}"
    missing, reasons = (body.get(name) if isinstance(body, dict) else None for name in ("missing", "reasons"))
    if not isinstance(missing, list) or not missing:
        return says
    why = f" ({'; '.join(map(str, reasons))})" if isinstance(reasons, list) and reasons else ""
    return f"missing: {', '.join(map(str, missing))}{why}"


def is_frozen(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process is stopped (SIGSTOP, a debugger): it neither answers nor ends. False if unknown."""
    try:
        # The name is in parentheses and may have any character.
        return (proc / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[0] in ("T", "t")
    except (OSError, IndexError):
        return False
