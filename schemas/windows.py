"""The windows that counts are kept under: how long they are, and how a document of `period_counts` spells them.

A document holds one hour of one event. Its field `minutes` has one count a window, under the minute of the hour that
the window starts in ("00", "07"). So a reader of documents need not know how long a window is.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from schemas.documents import millis_of, utc

WINDOW_MINUTES: Final = 1
"""Length of a window. It must divide 60: no window crosses an hour. `verify` has its own (ops/verify/reading.py)."""

MINUTE_MILLIS: Final = 60_000
MINUTES_PER_HOUR: Final = 60
_WINDOW_MILLIS: Final = WINDOW_MINUTES * MINUTE_MILLIS


def window_of(millis: int) -> int:
    """The minute since 1970 UTC that the window of a time starts in."""
    return millis // _WINDOW_MILLIS * WINDOW_MINUTES


class Bucket(NamedTuple):
    """A window as a document spells it: the hour, and the minute of the hour that it starts in, as two digits."""

    hour: datetime
    minute: str


def bucket_of(window: int) -> Bucket:
    """The bucket of a window (see window_of)."""
    hour, minute = divmod(window, MINUTES_PER_HOUR)
    return Bucket(utc(hour * MINUTES_PER_HOUR * MINUTE_MILLIS), f"{minute:02}")


def counts_by_window(document: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """The counts of a document of `period_counts`, each with the minute since 1970 UTC that its window starts in."""
    first = millis_of(document["hour"]) // MINUTE_MILLIS
    return ((first + int(minute), count) for minute, count in document["minutes"].items())
