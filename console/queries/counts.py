"""`GET /v1/counts`: which documents of period_counts a query needs, and what they add up to. Pure.

- A count belongs to the minute that its period starts in; a range holds a minute if it holds its start. So the sums of
  [a, b) and [b, c) add up to those of [a, c), whatever the step. A row's `at` is the start of its minute, hour or day.
- `_id` begins with hour/app/source: one range of the `_id` index an hour reads this app's documents alone, however
  many others have, and needs no index that a flush would have to pay for.
- A page is read part by part, from short to long, each of whole steps; so few rows come of few documents.
- All pages of a walk show one moment, that of the first: its token carries it. MongoDB keeps a moment for minutes; a
  page that comes later shows a newer one, and says so. Even then no row comes twice, and none that was there all along
  is skipped: rows keep their order, and a page begins after the last one's last, while counts only grow.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from console.queries.parameters import Parameters, checked_range, limit_param, millis_param, place_param
from schemas.documents import millis_of, utc
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

# Ranges in one command: planned one by one, so that a hundred cost some milliseconds, and a thousand a second.
MAX_PART_HOURS = 96
# A part that held more is followed by a shorter one.
PART_DOCUMENTS = 20_000

# The character after "/": `a/` <= _id < `a0` are the ids that begin with `a/`.
_AFTER_SLASH = "0"


class Place(NamedTuple):
    """After which row a page begins: rows are in the order of these."""

    at_millis: int
    event: str


class Moment(NamedTuple):
    """A time of MongoDB's log: what was written up to there, and nothing else."""

    seconds: int
    increment: int


class Resume(NamedTuple):
    """What a page token says: after which row its page begins, and the moment that the pages before show, if any."""

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
        """Whether an hour's sum will do: all its minutes are asked for, and not one by one."""
        return self.step != "minute" and self.from_millis <= hour_millis and hour_millis + HOUR_MILLIS <= self.to_millis

    def named(self) -> tuple[str | int | None, ...]:
        """What a page token is bound to."""
        return (self.app, self.source, self.event, self.from_millis, self.to_millis, self.step)


def counts_query(parameters: Parameters, app: str, max_rows: int, max_days: int) -> CountsQuery:
    """Raises BadQuery."""
    start, end = millis_param(parameters, "from"), millis_param(parameters, "to")
    source = next((api for api in APIS if api == parameters.get("source")), None)
    step = next((one for one in STEP_MILLIS if one == parameters.get("step", "hour")), None)
    if source is None or step is None or start is None or end is None:
        raise BadQuery(*_missing(source, step, start, end))
    checked_range(start, end, max_days)
    limit = limit_param(parameters, DEFAULT_ROWS, max_rows)
    first = CountsQuery(app, source, parameters.get("event"), start, end, step, limit)
    place = place_param(parameters, first.named(), (int, str, int, int))
    if place is None:
        return first
    at_millis, name, seconds, increment = place
    # 0 seconds: the page before showed no single moment. Both numbers have 32 bits; only a forged token has more.
    has_moment = 0 < seconds <= UINT32_MAX and increment <= UINT32_MAX
    return replace(first, resume=Resume(Place(at_millis, name), Moment(seconds, increment) if has_moment else None))


def _missing(source: object, step: object, start: object, end: object) -> Iterator[tuple[str, str]]:
    if source is None:
        yield "source", "Must be games or analytics"
    if step is None:
        yield "step", "Must be minute, hour or day"
    if start is None:
        yield "from", "Is required"
    if end is None:
        yield "to", "Is required"


@dataclass(frozen=True, slots=True)
class Part:
    """Documents to read: those of these hours. Of `cut` ones their minutes, too, for not all of them are asked for."""

    from_millis: int
    to_millis: int
    ids: tuple[tuple[str, str], ...]
    event: str | None
    cut: tuple[datetime, ...]


def part_of(query: CountsQuery, from_millis: int, to_millis: int) -> Part:
    """The part from one hour up to another (exclusive)."""
    hours = range(from_millis, to_millis, HOUR_MILLIS)
    cut = tuple(utc(hour) for hour in hours if not query.whole(hour))
    return Part(from_millis, to_millis, tuple(_ids(query, hour) for hour in hours), query.event, cut)


def _ids(query: CountsQuery, hour_millis: int) -> tuple[str, str]:
    """The `_id`s of an hour, low inclusive, high exclusive. A title may hold a `/`: its neighbours are filtered out."""
    owner = f"{utc(hour_millis):%Y-%m-%dT%H}/{query.app}/{query.source}"
    below = owner if query.event is None else f"{owner}/{query.event}"
    return f"{below}/", f"{below}{_AFTER_SLASH}"


class CountsPage:
    """One page, built up from what is read for it: read `wanted`, give it to `add`, `close` the part; until None."""

    def __init__(self, query: CountsQuery, max_documents: int, moment: Moment | None = None) -> None:
        self._query = query
        self._moment = moment
        self._max_documents = max_documents
        self._documents = 0
        self._part_documents = 0
        self._sums: Counter[Place] = Counter()
        self._rows: list[Row] = []
        # A step that has begun is summed whole again: what of it the last page had is left out by its place.
        begin = max(query.from_millis, query.after.at_millis if query.after else 0)
        self._next_millis = begin - begin % max(query.step_millis, HOUR_MILLIS)
        self._hours = max(query.step_millis // HOUR_MILLIS, 1)
        self.wanted: Part | None = self._part()

    def add(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Some documents of the part that is wanted."""
        self._part_documents += len(documents)
        for place, count in counts_of(documents, self._query):
            self._sums[place] += count

    def close(self, *, ends: bool = False) -> None:
        """All documents of the part were given. `ends`: no other is to be read for this page."""
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
        end = _ceiling(self._query.to_millis, HOUR_MILLIS)
        self._next_millis = min(begin + self._hours * HOUR_MILLIS, end)
        # Hours of the first step that lie before the range hold nothing that is asked for.
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
        """After what the next page begins; None when this is the last."""
        if len(self._rows) > self._query.limit:
            return Place(self.rows[-1].at_millis, self.rows[-1].event)
        # An event's name is never empty: every row of that time comes after this place.
        return Place(self._next_millis, "") if self._next_millis < self._query.to_millis else None

    def answer(self) -> dict[str, object]:
        """The reply's JSON. Counts are JSON numbers: a client that reads them as doubles is exact up to 2^53."""
        query = self._query
        rows = [{"at": rfc3339(row.at_millis), "event": row.event, "count": row.count} for row in self.rows]
        answer: dict[str, object] = {"app": query.app, "source": query.source, "step": query.step, "rows": rows}
        if self._moment:
            answer["asOf"] = rfc3339(self._moment.seconds * 1000)
        if self.next:
            answer["nextPageToken"] = digest_token((*self.next, *(self._moment or (0, 0))), query.named())
        return answer


def _ceiling(millis: int, step_millis: int) -> int:
    return -(-millis // step_millis) * step_millis


def counts_of(documents: Iterable[Mapping[str, Any]], query: CountsQuery) -> Iterator[tuple[Place, int]]:
    """What documents count, each under the step it falls into; not summed yet."""
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
    """In order, those after a place; what counts nothing is left out."""
    return [
        Row(place.at_millis, place.event, count)
        for place, count in sorted(sums.items())
        if count and (after is None or place > after)
    ]
