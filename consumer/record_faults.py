"""An unexpected error of pure code is the fault of a record: it costs that record its count, and stops no worker."""

from collections.abc import Iterator
from contextlib import contextmanager

from consumer.core.reasons import bug_reason
from consumer.ports import RecordRefused, TooManyDead


@contextmanager
def records_fault(step: str) -> Iterator[None]:
    """Pure code runs within. Any error of it becomes RecordRefused; RecordRefused and TooManyDead pass through."""
    try:
        yield
    except (RecordRefused, TooManyDead):
        raise
    except Exception as error:
        raise RecordRefused(bug_reason(step, error), bug=True) from error
