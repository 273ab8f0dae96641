"""Whose fault an error is that nobody foresaw: the record's, if work that knows no server raised it."""

from collections.abc import Iterator
from contextlib import contextmanager

from consumer.core.reasons import bug_reason
from consumer.ports import RecordRefused, TooManyDead


@contextmanager
def records_fault(step: str) -> Iterator[None]:
    """What pure code raises within is the fault of a record it was given. Raises RecordRefused, TooManyDead."""
    try:
        yield
    except (RecordRefused, TooManyDead):
        raise
    except Exception as error:
        raise RecordRefused(bug_reason(step, error), bug=True) from error
