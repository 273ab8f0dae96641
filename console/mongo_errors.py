"""Translates pymongo's errors into those of ports.py."""

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import ExecutionTimeout, OperationFailure, PyMongoError

from console.ports import MomentGone, TooSlow, Unavailable
from serving.mongodb.client import why
from serving.mongodb.denied import note_denied

# SnapshotTooOld, SnapshotUnavailable, and InvalidOptions: a moment in the future, which only a forged page token has.
_MOMENT_GONE_CODES = (239, 246, 72)


@contextmanager
def translated() -> Iterator[None]:
    """Raises TooSlow or Unavailable in place of pymongo's errors; MomentGone where a moment is read."""
    try:
        yield
    except ExecutionTimeout as error:
        raise TooSlow(_reason(error)) from error
    except OperationFailure as error:
        note_denied(error)
        gone = error.code in _MOMENT_GONE_CODES
        raise (MomentGone if gone else Unavailable)(_reason(error)) from error
    except PyMongoError as error:
        raise Unavailable(_reason(error)) from error


def _reason(error: PyMongoError) -> str:
    return f"MongoDB: {why(error)}"
