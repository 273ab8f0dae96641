"""Failures that no caller handles, in one line of the log each.

- an outage, of Kafka, MongoDB or the network: a warning in plain words, without a trace, for there is nothing to mend
- of a library alone (its background tasks, its destructors): a warning that names the library and the place in it
- a bug: an error with its trace, so that it can be mended. Our own code is on the trace, and no server is to blame.

A kind is written once in REPEAT_SECONDS, with the number of times that it came meanwhile; a metric counts all of them.
"""

import asyncio
import errno
import socket
import ssl
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, get_args

import structlog
import uvloop
from aiokafka import errors
from prometheus_client import Counter
from pymongo.errors import ConnectionFailure

from serving.kafka.words import why
from serving.mongodb import words as mongodb_words

log = structlog.get_logger()

REPEAT_SECONDS = 60

Kind = Literal["outage", "library", "bug"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

# One of the process, whose registry takes it in. Declared here, for what counts it knows no process's metrics.
FAILURES = Counter(
    "tallymill_background_failures",
    "Failures that no caller handled: of server or network (outage), of a library's own task (library), ours (bug).",
    ("kind",),
    registry=None,
)
for _kind in KINDS:
    FAILURES.labels(_kind)

_OUR_FOLDERS = tuple(
    str(Path(__file__).parent.parent / name) + "/"
    for name in ("schemas", "serving", "ingress", "consumer", "console", "ops")
)

# These say that a client was used wrongly: no server is to blame.
_MISUSE = (errors.IllegalStateError, errors.IllegalArgumentError, errors.KafkaConfigurationError)

_NETWORK_NUMBERS = frozenset(
    {errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT, errno.EHOSTUNREACH}
    | {errno.ENETUNREACH, errno.ENOTCONN, errno.EBADF}
)


def outage_words(error: BaseException) -> str | None:
    """What a server or the network did, in plain words; None where neither is to blame."""
    if isinstance(error, errors.KafkaError) and not isinstance(error, _MISUSE):
        return f"Kafka: {why(error)}"
    if isinstance(error, ConnectionFailure):
        return f"MongoDB: {mongodb_words.why(error)}"
    if isinstance(error, TimeoutError | ConnectionError | EOFError | socket.gaierror | ssl.SSLError):
        return f"network: {why(error)}"
    if isinstance(error, OSError) and error.errno in _NETWORK_NUMBERS:
        return f"network: {why(error)}"
    return None


class Seldom:
    """Which lines are written: of each kind one in REPEAT_SECONDS."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._written: dict[object, float] = {}
        self._left_out: dict[object, int] = {}

    def allows(self, kind: object) -> int | None:
        """How often it came since it was written last; None if it is not to be written now."""
        now = self._now()
        if now - self._written.get(kind, -REPEAT_SECONDS) < REPEAT_SECONDS:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return None
        self._written[kind] = now
        return self._left_out.pop(kind, 0)


_seldom = Seldom()


def report(error: BaseException, **fields: object) -> None:
    """Write what came out of nobody's hands; of a group each of its errors."""
    for one in _leaves(error):
        _report(one, fields)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


def _report(error: BaseException, fields: dict[str, object]) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    place = f"{Path(last.filename).name}:{last.lineno}" if last else "unknown"
    words = outage_words(error)
    kind: Kind = "outage" if words else "bug" if _is_ours(frames) else "library"
    FAILURES.labels(kind).inc()
    again = _seldom.allows((kind, type(error), place))
    if again is None:
        return
    if again:
        fields = {**fields, "repeated": again}
    if kind == "bug":
        log.error("bug", exc_info=error, **fields)
    elif words:
        log.warning("background_failure", reason=words, at=place, **fields)
    else:
        library = _library(last.filename) if last else "a library"
        log.warning("background_failure", reason=f"{library} failed in its own background task", at=place, **fields)


def _is_ours(frames: traceback.StackSummary) -> bool:
    """Whether our code is on it. An error that was never raised has no trace; it is taken for ours."""
    return not frames or any(frame.filename.startswith(_OUR_FOLDERS) for frame in frames)


def _library(file: str) -> str:
    """The package that a file of site-packages belongs to; Python's own otherwise."""
    _, found, inside = file.partition("/site-packages/")
    return inside.partition("/")[0].removesuffix(".py") if found else "Python"


def handle_loop_exception(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An event loop's exception handler: what a task raised that nobody awaited, what a transport or a timer raised."""
    if error := context.get("exception"):
        report(error)
        return
    said = str(context.get("message", "")).partition("\n")[0]
    FAILURES.labels("library").inc()
    if (again := _seldom.allows(said)) is not None:
        log.warning("background_failure", reason=said, **({"repeated": again} if again else {}))


def new_loop() -> asyncio.AbstractEventLoop:
    """The event loop of a process: uvloop's, with this handler."""
    loop = uvloop.new_event_loop()
    loop.set_exception_handler(handle_loop_exception)
    return loop
