"""Structured logs on stderr: one JSON line a state change. No line per record, and no credentials.

Logs, warnings and uncaught exceptions of libraries become such lines too, so that no raw trace is among them.
"""

import logging
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import structlog

from serving.failures import report
from serving.kafka.denied import log_denied
from serving.kafka.rights import DENIALS
from serving.seldom import Seldom

log = structlog.get_logger()

MAX_MESSAGE = 300


def configure_logs() -> None:
    """Called once, at the start of a process. The configuration of an embedding program stays."""
    # The adapters log each state change once. These libraries would log every try.
    for chatty in ("aiokafka", "pymongo", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    DENIALS.tell = log_denied
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # What Python or a library would write to stderr: logs, warnings, uncaught exceptions.
    logging.getLogger().addHandler(LibraryLog())
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda failed: _uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)
    sys.unraisablehook = lambda failed: _uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)


def warn_of_open_files(files: Mapping[str, Path]) -> None:
    """Warn of files of secrets that every user of the machine can read. `files`: by setting."""
    for setting, file in files.items():
        log.warning("secret_file_open", setting=setting, file=str(file))


def drop_logs() -> None:
    """For a command that prints by itself what it found. Called once, instead of configure_logs()."""
    structlog.configure(processors=[_drop])


def _drop(*_: object) -> NoReturn:
    raise structlog.DropEvent


class LibraryLog(logging.Handler):
    """Writes a log record of a library as one JSON line. An exception in it is reported as an unhandled one."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._seldom = Seldom()

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            report(record.exc_info[1], logger=record.name)
            return
        again = self._seldom.allows((record.name, record.msg))
        if again is not None:
            message = record.getMessage().partition("\n")[0][:MAX_MESSAGE]
            fields: dict[str, Any] = {"repeated": again} if again else {}
            log.warning("library_message", logger=record.name, message=message, **fields)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """An uncaught exception: it ends the process or a thread, or comes from a destructor."""
    if error is None or issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    report(error.with_traceback(trace))
