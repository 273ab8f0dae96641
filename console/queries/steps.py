"""The steps that a range is divided into: where they start, in a time zone. Pure.

- Minutes and hours are those of UTC.
- Days, weeks (ISO: from Monday) and months are those of a zone. With a change of its offset, a day has 23 or 25 hours.
- `total` is one step: the whole range.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta, tzinfo
from typing import Final, get_args

from console.queries.zones import LAST_DATE, date_in, start_of_day
from schemas.windows import MINUTE_MILLIS
from schemas.wire.console_replies import Step

HOUR_MILLIS = 3_600_000
STEPS: Final[Sequence[Step]] = get_args(Step)
# The others have no fixed length.
FIXED_MILLIS: Final[Mapping[Step, int]] = {"minute": MINUTE_MILLIS, "hour": HOUR_MILLIS}

_DAY = timedelta(days=1)


class Steps:
    """The steps of a range. The first may begin before it, and the last may end after it; `total` does neither."""

    def __init__(self, step: Step, zone: tzinfo, from_millis: int, to_millis: int) -> None:
        self._fixed = FIXED_MILLIS.get(step)
        self._from_millis, self._to_millis = from_millis, to_millis
        if step == "total":
            self._starts = [from_millis, to_millis]
        else:
            self._starts = [] if self._fixed else _starts(step, zone, from_millis, to_millis)

    def start(self, millis: int) -> int:
        """The start of the step that contains a time of the range."""
        if self._fixed:
            return millis - millis % self._fixed
        return self._starts[max(0, bisect_right(self._starts, millis) - 1)]

    def next(self, start_millis: int) -> int:
        """The start of the step after the one that starts there."""
        if self._fixed:
            return start_millis + self._fixed
        after = bisect_right(self._starts, start_millis)
        return self._starts[after] if after < len(self._starts) else max(self._to_millis, start_millis + 1)

    def between(self, from_millis: int, to_millis: int) -> Iterator[int]:
        """The starts of the steps from the one that contains a time, up to a later time (exclusive)."""
        at = self.start(from_millis)
        while at < to_millis:
            yield at
            at = self.next(at)

    def complete(self, read_to_millis: int) -> int:
        """Up to which time all steps are complete, when everything before a time has been read."""
        return self._to_millis if read_to_millis >= self._to_millis else self.start(read_to_millis)

    @property
    def number(self) -> int:
        """How many steps begin before the range ends."""
        if self._fixed:
            return -(-(self._to_millis - self.start(self._from_millis)) // self._fixed)
        return sum(1 for _ in self.between(self._from_millis, self._to_millis))


def _starts(step: Step, zone: tzinfo, from_millis: int, to_millis: int) -> list[int]:
    """The starts of days, weeks or months, up to the first one at or after the end of the range."""
    found: list[int] = []
    # One day earlier, because a day starts with a whole minute, and an offset with seconds begins its date before that.
    for first_day in _first_days(step, date_in(zone, from_millis) - _DAY):
        # A day that the zone skipped starts where the next one does, and `next` passes over it.
        start = start_of_day(first_day, zone)
        if start <= from_millis:
            found = [start]
        else:
            found.append(start)
        if start >= to_millis:
            break
    return found


def _first_days(step: Step, day: date) -> Iterator[date]:
    """The first days of the step that contains a date, and of those after it."""
    first = _first_day(step, day)
    while first <= LAST_DATE:
        yield first
        # A week has 7 days; 31 days after the first of a month lies in the next month, or at its end.
        longest = {"day": 1, "week": 7, "month": 31}[step]
        first = _first_day(step, first + longest * _DAY)


def _first_day(step: Step, day: date) -> date:
    if step == "month":
        return day.replace(day=1)
    return day - day.weekday() * _DAY if step == "week" else day
