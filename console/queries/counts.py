"""`GET /v1/counts`: which documents of period_counts a query reads, and what they add up to. Pure.

- A count belongs to the minute in which its period starts. A range contains a minute if it contains the minute's start.
  So the counts of [a, b) and [b, c) add up to those of [a, c), whatever the step. `at` is the start of a row's step.
- `_id` begins with hour/app/source. So one range of the `_id` index for each hour reads only this app's documents, and
  there is no other index, which each flush would have to maintain.
- Documents are hours of UTC. Where a step of a zone begins within an hour, the minutes of that hour are read too.
- A page is read in parts. The first part is short and later ones are longer, so that a page of few rows reads few
  documents. A page ends with a whole step. If not even one step can be read in time, there is no answer (TooMuch).
- All pages of a walk show the moment of the first page, which the page token carries. MongoDB keeps a moment for
  minutes. A page that comes later shows a newer moment, and its `asOf` says so. Even then no row repeats, and no row
  that existed all the time is missing: rows have an order, a page begins after the last row of the page before, and
  counts only grow.
- `top`, and `fill` without an event, read the whole range for each page, because they show rows of events that may
  first occur at its end.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from console.queries.counts_query import CountsQuery, Moment, Place
from console.queries.rows import Row, filled_rows, rows_of, top_of, totals_of, with_rest
from console.queries.steps import HOUR_MILLIS, Steps
from console.queries.zones import shown_in
from schemas.documents import ids_below, millis_of, utc
from schemas.records.envelope import rfc3339
from schemas.windows import MINUTE_MILLIS, counts_by_window
from serving.http.paging import digest_token

# Each hour is a range in the command. MongoDB plans a hundred ranges in milliseconds, but a thousand in a second.
MAX_PART_HOURS = 96
# After a part with more documents the next part is shorter.
PART_DOCUMENTS = 20_000
# Sums that a page holds, about 200 bytes each.
MAX_SUMS = 200_000


class TooMuch(Exception):
    """The query cannot be answered in time or memory, although nothing failed."""


@dataclass(frozen=True, slots=True)
class Part:
    """Documents to read: those of some hours, by ranges of their `_id`s. What lies outside its times does not count.

    `cut`: the hours whose minutes are needed too, because the part contains only some, or a step begins within them.
    """

    from_millis: int
    to_millis: int
    ids: tuple[tuple[str, str], ...]
    event: str | None
    cut: tuple[datetime, ...]


def part_of(query: CountsQuery, steps: Steps, from_millis: int, to_millis: int) -> Part:
    """The part from one time to another (exclusive), of which the query counts what is in its range."""
    times = max(from_millis, query.from_millis), min(to_millis, query.to_millis)
    hours = range(from_millis - from_millis % HOUR_MILLIS, to_millis, HOUR_MILLIS)
    cut = tuple(utc(hour) for hour in hours if not _is_whole(query, steps, hour, times))
    # A title may contain a `/`, so its range can include the ids of other titles.
    owned = f"{query.app}/{query.source}" + ("" if query.event is None else f"/{query.event}")
    ids = tuple(ids_below(f"{utc(hour):%Y-%m-%dT%H}/{owned}") for hour in hours)
    return Part(*times, ids, query.event, cut)


def _is_whole(query: CountsQuery, steps: Steps, hour: int, times: tuple[int, int]) -> bool:
    """Whether the sum of an hour is enough: all its minutes are between these times, and in one step."""
    if query.step == "minute" or not times[0] <= hour <= times[1] - HOUR_MILLIS:
        return False
    return steps.start(hour) == steps.start(hour + HOUR_MILLIS - MINUTE_MILLIS)


class CountsPage:
    """Builds a page: until `wanted` is None, the caller reads it, passes its documents to `add`, and calls `close`."""

    def __init__(self, query: CountsQuery, max_documents: int, moment: Moment | None = None) -> None:
        self._query = query
        self._moment = moment
        self._max_documents = max_documents
        self._steps = query.steps()
        self._documents = 0
        self._part_documents = 0
        self._sums: Counter[Place] = Counter()
        self._rows: list[Row] = []
        self._top: list[tuple[str, int]] = []
        # The step of the last row is summed again, as a whole. Rows that the page before had are left out by `after`.
        after = 0 if query.at_once or not query.after else query.after.at_millis
        self._begin = self._complete = self._read_to = self._steps.start(
            min(max(query.from_millis, after), query.to_millis)
        )
        self._least_hours = 1 if query.step in ("minute", "hour") else 24
        self._hours = MAX_PART_HOURS if query.at_once or query.step == "total" else self._least_hours
        self.wanted: Part | None = self._part()

    def add(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Adds some documents of the wanted part."""
        part = self.wanted
        assert part is not None  # noqa: S101 the caller's loop ends there
        self._part_documents += len(documents)
        cut = frozenset(part.cut)
        for document in documents:
            for place, count in _counts_of(document, part, cut, self._steps):
                self._sums[place] += count

    def close(self, *, ends: bool = False) -> None:
        """Ends the part: all its documents were added. `ends`: the page ends with it. Raises TooMuch."""
        self._documents += self._part_documents
        doubled = min(self._hours * 2, MAX_PART_HOURS)
        self._hours = doubled if self._part_documents < PART_DOCUMENTS else max(self._hours // 2, self._least_hours)
        self._hours -= self._hours % self._least_hours
        self._part_documents = 0
        complete = self._steps.complete(self._read_to)
        if self._query.at_once:
            self._close_at_once(complete)
        elif complete > self._complete:
            self._add_rows(complete)
        full = len(self._rows) > self._query.limit or self._documents >= self._max_documents
        goes_on = self._complete == self._begin and complete < self._query.to_millis
        if goes_on and (ends or len(self._sums) > MAX_SUMS):
            raise TooMuch("not even one step could be read in time")
        self.wanted = None if (ends or full) and not goes_on else self._part()

    def _close_at_once(self, complete: int) -> None:
        """Makes all rows once the whole range was read."""
        if complete < self._query.to_millis:
            return
        query, sums = self._query, self._sums
        totals = totals_of(sums)
        if query.shape.top is not None:
            self._top = top_of(totals, query.shape.top)
            shown = [event for event, _ in self._top]
            sums = with_rest(sums, shown)
            totals = Counter({place.event: 1 for place, count in sums.items() if count})
        self._complete = complete
        rows: Iterator[Row] = iter(rows_of(sums, query.after))
        if query.shape.fills:
            first = query.after.at_millis if query.after else query.from_millis
            rows = filled_rows(sums, self._steps.between(first, query.to_millis), totals, query.after)
        self._rows = list(islice(rows, query.limit + 1))

    def _add_rows(self, complete: int) -> None:
        """Makes the rows of the steps that are complete now. A part ends with a step, or lies within one."""
        query = self._query
        if query.shape.fills and query.event is not None:
            starts = self._steps.between(self._complete, complete)
            self._rows += filled_rows(self._sums, starts, (query.event,), query.after)
        else:
            self._rows += rows_of(self._sums, query.after)
        self._sums.clear()
        self._complete = complete

    def _part(self) -> Part | None:
        query = self._query
        # The first step may begin before the range: its hours there have no row to add to.
        begin = max(self._read_to, query.from_millis)
        if begin >= query.to_millis:
            return None
        end = min(begin - begin % HOUR_MILLIS + self._hours * HOUR_MILLIS, query.to_millis)
        complete = self._steps.complete(end)
        self._read_to = complete if complete > begin else end
        return part_of(query, self._steps, begin, self._read_to)

    @property
    def documents(self) -> int:
        return self._documents

    @property
    def rows(self) -> Sequence[Row]:
        return self._rows[: self._query.limit]

    @property
    def next(self) -> Place | None:
        """The place after which the next page begins; None on the last page."""
        if len(self._rows) > self._query.limit:
            return Place(self.rows[-1].at_millis, self.rows[-1].event)
        # No event's name is empty, so all rows of that time come after this place.
        return Place(self._complete, "") if self._complete < self._query.to_millis else None

    @property
    def next_token(self) -> str | None:
        """The token of the next page; None on the last one."""
        place = self.next
        return place and digest_token((*place, *(self._moment or (0, 0))), self._query.without_page())

    @property
    def as_of(self) -> str | None:
        """The moment that the page shows, if it shows a single one."""
        return self._moment and rfc3339(self._moment.seconds * 1000)

    def answer(self) -> dict[str, object]:
        """The reply. Counts are JSON numbers; a client that reads them as doubles is exact up to 2^53."""
        query, zone = self._query, self._query.shape.zone
        rows = [{"at": shown_in(zone, row.at_millis), "event": row.event, "count": row.count} for row in self.rows]
        about = {"basis": "counted", "app": query.app, "source": query.source, "step": query.step}
        answer: dict[str, object] = {**about, "rows": rows}
        if query.shape.top is not None:
            answer["top"] = [{"event": event, "count": total} for event, total in self._top]
        if self.as_of:
            answer["asOf"] = self.as_of
        if self.next_token:
            answer["nextPageToken"] = self.next_token
        return answer


def _counts_of(
    document: Mapping[str, Any], part: Part, cut: frozenset[datetime], steps: Steps
) -> Iterator[tuple[Place, int]]:
    """The counts of a document, each with the place of its row. Places may repeat."""
    hour, event = document["hour"], document["event"]
    if hour not in cut:
        yield Place(steps.start(millis_of(hour)), event), document["count"]
        return
    for minute, count in counts_by_window(document):
        at = minute * MINUTE_MILLIS
        if part.from_millis <= at < part.to_millis:
            yield Place(steps.start(at), event), count
