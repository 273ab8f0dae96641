"""Asks a URL whether a process is well.

A container runs this every few seconds, so it must start quickly: it uses only the standard library, and
`ops/__main__.py` calls it before the other commands are imported.
"""

import signal
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, InvalidURL
from types import FrameType
from typing import Final, NoReturn
from urllib.parse import SplitResult, urlsplit

from ops.output import complain, printable

TIMEOUT_SECONDS: Final = 2.0

# Docker knows 0 and 1 as results of a health check, and reserves 2.
EXIT_WELL: Final = 0
EXIT_UNWELL: Final = 1

# What of a reply's body is shown: /readyz names what is missing.
SHOWN_BYTES: Final = 300

_SUCCESSES: Final = range(200, 300)
_MAX_SECONDS: Final = 86_400

_CONNECTIONS: Final = {"http": HTTPConnection, "https": HTTPSConnection}


def probe(url: str, timeout_seconds: float) -> int:
    """Print why the URL is not well, in one line. Returns the exit status."""
    problem = problem_of(url, timeout_seconds)
    if problem is None:
        return EXIT_WELL
    complain(f"{url}: {problem}")
    return EXIT_UNWELL


def problem_of(url: str, timeout_seconds: float) -> str | None:
    """Why the URL is not well, or None if it answers 2xx within the time."""
    signal.signal(signal.SIGALRM, _time_out)
    # An alarm, because a socket's time-out begins again with each byte, and a look-up of a name has none.
    signal.setitimer(signal.ITIMER_REAL, timeout_seconds)
    try:
        return _problem(urlsplit(url))
    except TimeoutError:
        return f"no answer within {timeout_seconds:g} s"
    except OSError as error:
        return (error.strerror or "not reachable").lower()
    except (InvalidURL, ValueError):
        return "is not a URL"
    except HTTPException:
        return "the answer is not HTTP"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _time_out(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TimeoutError


def _problem(url: SplitResult) -> str | None:
    connection_to = _CONNECTIONS.get(url.scheme)
    if connection_to is None or not url.hostname:
        return "must begin with http:// or https://, and name a host"
    connection = connection_to(url.hostname, url.port)
    try:
        connection.request("GET", (url.path or "/") + (f"?{url.query}" if url.query else ""))
        reply = connection.getresponse()
        return None if reply.status in _SUCCESSES else f"{reply.status} {reply.reason}{_shown(reply)}"
    finally:
        connection.close()


def _shown(reply: HTTPResponse) -> str:
    """The beginning of the body, as one line."""
    text = " ".join(reply.read(SHOWN_BYTES).decode(errors="replace").split())
    return f": {printable(text)}" if text else ""


def options_of(arguments: Sequence[str]) -> tuple[str, float] | None:
    """URL and time-out of a plain command line. None: the full command parses it, and says what is wrong."""
    match arguments:
        case [url]:
            timeout = str(TIMEOUT_SECONDS)
        case [url, "--timeout", timeout] | ["--timeout", timeout, url]:
            pass
        case _:
            return None
    return (url, float(timeout)) if not url.startswith("-") and _is_seconds(timeout) else None


def _is_seconds(text: str) -> bool:
    """Whether it is a positive number of seconds, of at most a day."""
    try:
        return 0 < float(text) <= _MAX_SECONDS
    except ValueError:
        return False
