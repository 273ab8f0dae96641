"""Logs failures that no caller handles, in one line each.

- an outage of Kafka, MongoDB or the network: a warning in plain words. It has no trace, because there is no bug to fix
- a failure of a library (its background tasks, its destructors): a warning that names the library and the place in it
- a bug: an error with its trace. Our own code is on the trace, and no server is the cause

A kind of failure is logged once in REPEAT_SECONDS, with the number of repeats since then. A metric counts them all.
"""

import asyncio
import errno
import socket
import ssl
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, get_args

import structlog
import uvloop
from aiokafka import errors
from prometheus_client import Counter
from pymongo.errors import ConnectionFailure

from serving.kafka.words import Explained, why
from serving.mongodb import words as mongodb_words
from serving.seldom import Seldom

log = structlog.get_logger()

Kind = Literal["outage", "library", "bug"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

# Each process adds it to its own registry. It is declared here because report() knows no process's metrics.
FAILURES = Counter(
    "tallymill_background_failures",
    "Failures that no caller handled, by kind: outage (a server or the network), library (a library's own task), bug.",
    ("kind",),
    registry=None,
)
for _kind in KINDS:
    FAILURES.labels(_kind)

_OUR_FOLDERS = tuple(
    str(Path(__file__).parent.parent / name) + "/"
    for name in ("schemas", "serving", "ingress", "consumer", "console", "ops")
)

# These mean that a client was used wrongly: no server is the cause.
_MISUSE = (errors.IllegalStateError, errors.IllegalArgumentError, errors.KafkaConfigurationError)

_NETWORK_NUMBERS = frozenset(
    {errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT, errno.EHOSTUNREACH}
    | {errno.ENETUNREACH, errno.ENOTCONN, errno.EBADF}
)


def outage_words(error: BaseException) -> str | None:
    """What a server or the network did, in plain words; None if neither is the cause."""
    if isinstance(error, Explained) or (isinstance(error, errors.KafkaError) and not isinstance(error, _MISUSE)):
        return f"Kafka: {why(error)}"
    if isinstance(error, ConnectionFailure):
        return f"MongoDB: {mongodb_words.why(error)}"
    if isinstance(error, TimeoutError | ConnectionError | EOFError | socket.gaierror | ssl.SSLError):
        return f"network: {why(error)}"
    if isinstance(error, OSError) and error.errno in _NETWORK_NUMBERS:
        return f"network: {why(error)}"
    return None


_seldom = Seldom()


def report(error: BaseException, **fields: object) -> None:
    """Log a failure that no caller handled. Of an exception group each error is logged."""
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
    # An error that was never raised has no trace, and counts as ours.
    is_ours = not frames or any(frame.filename.startswith(_OUR_FOLDERS) for frame in frames)
    kind: Kind = "outage" if words else "bug" if is_ours else "library"
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


def _library(file: str) -> str:
    """The package that a file of site-packages belongs to; Python's own otherwise."""
    _, found, inside = file.partition("/site-packages/")
    return inside.partition("/")[0].removesuffix(".py") if found else "Python"


def handle_loop_exception(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An event loop's exception handler, for tasks that no code awaited, transports and timers."""
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
