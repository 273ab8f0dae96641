"""`GET /v1/counts`: which documents of period_counts a query reads, and what they add up to. Pure.

- A count belongs to the minute in which its period starts. A range contains a minute if it contains the minute's start.
  So the counts of [a, b) and [b, c) add up to those of [a, c), whatever the step. A row's `at` is the start of its
  minute, hour or day.
- `_id` begins with hour/app/source. So one range of the `_id` index for each hour reads only this app's documents, and
  there is no other index, which each flush would have to maintain.
- A page is read in parts of whole steps. The first part is short and later ones are longer, so that a page of few rows
  reads few documents.
- All pages of a walk show the moment of the first page, which the page token carries. MongoDB keeps a moment for
  minutes. A page that comes later shows a newer moment, and its `asOf` says so. Even then no row repeats, and no row
  that existed all the time is missing: rows have an order, a page begins after the last row of the page before, and
  counts only grow.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from console.queries.parameters import Parameters, checked_range, limit_param, millis_param, place_param
from schemas.documents import ids_below, millis_of, utc
from schemas.records.envelope import rfc3339
from schemas.settings import APIS, Api
from schemas.windows import MINUTE_MILLIS, counts_by_window
from serving.http.paging import digest_token
from serving.http.query import BadQuery

HOUR_MILLIS = 3_600_000
Step = Literal["minute", "hour", "day"]
STEP_MILLIS: Final[Mapping[Step, int]] = {"minute": MINUTE_MILLIS, "hour": HOUR_MILLIS, "day": 24 * HOUR_MILLIS}

UINT32_MAX = 2**32 - 1

PARAMETERS: Final = ("app", "source", "event", "from", "to", "step", "limit", "pageToken")
DEFAULT_ROWS = 1_000

# Each hour is a range in the command. MongoDB plans a hundred ranges in milliseconds, but a thousand in a second.
MAX_PART_HOURS = 96
# After a part with more documents the next part is shorter.
PART_DOCUMENTS = 20_000


class Place(NamedTuple):
    """The place of a row, in the order of the rows. A page begins after one."""

    at_millis: int
    event: str


class Moment(NamedTuple):
    """A time in MongoDB's oplog. It shows what was written up to then."""

    seconds: int
    increment: int


class Resume(NamedTuple):
    """What a page token carries: the row after which its page begins, and the moment of the pages before, if any."""

    after: Place
    moment: Moment | None


@dataclass(frozen=True, slots=True)
class Row:
    at_millis: int
    event: str
    count: int


@dataclass(frozen=True, slots=True)
class CountsQuery:
    app: str
    source: Api
    event: str | None
    from_millis: int
    to_millis: int
    step: Step
    limit: int
    resume: Resume | None = None

    @property
    def after(self) -> Place | None:
        return self.resume.after if self.resume else None

    @property
    def moment(self) -> Moment | None:
        return self.resume.moment if self.resume else None

    @property
    def step_millis(self) -> int:
        return STEP_MILLIS[self.step]

    def whole(self, hour_millis: int) -> bool:
        """Whether the sum of an hour is enough: the range contains all its minutes, and the step is not a minute."""
        return self.step != "minute" and self.from_millis <= hour_millis and hour_millis + HOUR_MILLIS <= self.to_millis

    def without_page(self) -> tuple[str | int | None, ...]:
        """What all pages of the query share: a page token is bound to it."""
        return (self.app, self.source, self.event, self.from_millis, self.to_millis, self.step)


def counts_query(parameters: Parameters, app: str, max_rows: int, max_days: int) -> CountsQuery:
    """The query of these parameters. Raises BadQuery."""
    start, end = millis_param(parameters, "from"), millis_param(parameters, "to")
    source = next((api for api in APIS if api == parameters.get("source")), None)
    step = next((one for one in STEP_MILLIS if one == parameters.get("step", "hour")), None)
    if source is None or step is None or start is None or end is None:
        wrong = (
            (source, "source", "Must be games or analytics"),
            (step, "step", "Must be minute, hour or day"),
            (start, "from", "Is required"),
            (end, "to", "Is required"),
        )
        raise BadQuery(*((name, why) for value, name, why in wrong if value is None))
    checked_range(start, end, max_days)
    limit = limit_param(parameters, DEFAULT_ROWS, max_rows)
    first = CountsQuery(app, source, parameters.get("event"), start, end, step, limit)
    place = place_param(parameters, first.without_page(), (int, str, int, int))
    if place is None:
        return first
    at_millis, name, seconds, increment = place
    # 0 seconds: the page before showed no single moment. Both numbers have 32 bits; only a forged token has more.
    has_moment = 0 < seconds <= UINT32_MAX and increment <= UINT32_MAX
    return replace(first, resume=Resume(Place(at_millis, name), Moment(seconds, increment) if has_moment else None))


@dataclass(frozen=True, slots=True)
class Part:
    """Documents to read: those of some hours, by ranges of their `_id`s.

    `cut`: the hours whose minutes are needed too, because the range contains only some, or the step is a minute.
    """

    from_millis: int
    to_millis: int
    ids: tuple[tuple[str, str], ...]
    event: str | None
    cut: tuple[datetime, ...]


def part_of(query: CountsQuery, from_millis: int, to_millis: int) -> Part:
    """The part from one hour to another (exclusive)."""
    hours = range(from_millis, to_millis, HOUR_MILLIS)
    cut = tuple(utc(hour) for hour in hours if not query.whole(hour))
    # A title may contain a `/`, so its range can include the ids of other titles.
    owned = f"{query.app}/{query.source}" + ("" if query.event is None else f"/{query.event}")
    ids = tuple(ids_below(f"{utc(hour):%Y-%m-%dT%H}/{owned}") for hour in hours)
    return Part(from_millis, to_millis, ids, query.event, cut)


class CountsPage:
    """Builds a page: until `wanted` is None, the caller reads it, passes its documents to `add`, and calls `close`."""

    def __init__(self, query: CountsQuery, max_documents: int, moment: Moment | None = None) -> None:
        self._query = query
        self._moment = moment
        self._max_documents = max_documents
        self._documents = 0
        self._part_documents = 0
        self._sums: Counter[Place] = Counter()
        self._rows: list[Row] = []
        # The step of the last row is summed again, as a whole. Rows that the page before had are left out by `after`.
        begin = max(query.from_millis, query.after.at_millis if query.after else 0)
        self._next_millis = begin - begin % max(query.step_millis, HOUR_MILLIS)
        self._hours = max(query.step_millis // HOUR_MILLIS, 1)
        self.wanted: Part | None = self._part()

    def add(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Adds some documents of the wanted part."""
        self._part_documents += len(documents)
        for place, count in counts_of(documents, self._query):
            self._sums[place] += count

    def close(self, *, ends: bool = False) -> None:
        """Ends the part: all its documents were added. `ends`: the page ends with it."""
        self._rows += rows_of(self._sums, self._query.after)
        self._sums.clear()
        self._documents += self._part_documents
        least = max(self._query.step_millis // HOUR_MILLIS, 1)
        doubled = min(self._hours * 2, MAX_PART_HOURS)
        self._hours = doubled if self._part_documents < PART_DOCUMENTS else max(self._hours // 2, least)
        self._hours -= self._hours % least
        self._part_documents = 0
        ends = ends or len(self._rows) > self._query.limit or self._documents >= self._max_documents
        self.wanted = None if ends else self._part()

    def _part(self) -> Part | None:
        if self._next_millis >= self._query.to_millis:
            return None
        begin = self._next_millis
        end = -(-self._query.to_millis // HOUR_MILLIS) * HOUR_MILLIS  # rounded up
        self._next_millis = min(begin + self._hours * HOUR_MILLIS, end)
        # The first step may begin before the range: its hours there have no row to add to.
        first = max(begin, self._query.from_millis - self._query.from_millis % HOUR_MILLIS)
        return part_of(self._query, first, self._next_millis)

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
        return Place(self._next_millis, "") if self._next_millis < self._query.to_millis else None

    def answer(self) -> dict[str, object]:
        """The reply. Counts are JSON numbers; a client that reads them as doubles is exact up to 2^53."""
        query = self._query
        rows = [{"at": rfc3339(row.at_millis), "event": row.event, "count": row.count} for row in self.rows]
        answer: dict[str, object] = {"app": query.app, "source": query.source, "step": query.step, "rows": rows}
        if self._moment:
            answer["asOf"] = rfc3339(self._moment.seconds * 1000)
        if self.next:
            answer["nextPageToken"] = digest_token((*self.next, *(self._moment or (0, 0))), query.without_page())
        return answer


def counts_of(documents: Iterable[Mapping[str, Any]], query: CountsQuery) -> Iterator[tuple[Place, int]]:
    """The counts in documents, each with the place of its row. Places may repeat."""
    for document in documents:
        hour, event = millis_of(document["hour"]), document["event"]
        if query.whole(hour):
            yield Place(hour - hour % query.step_millis, event), document["count"]
            continue
        for minute, count in counts_by_window(document):
            at = minute * MINUTE_MILLIS
            if query.from_millis <= at < query.to_millis:
                yield Place(at - at % query.step_millis, event), count


def rows_of(sums: Mapping[Place, int], after: Place | None) -> list[Row]:
    """The rows after a place, in order, without zero counts."""
    return [
        Row(place.at_millis, place.event, count)
        for place, count in sorted(sums.items())
        if count and (after is None or place > after)
    ]
