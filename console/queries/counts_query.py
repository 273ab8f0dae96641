"""`GET /v1/counts`: what it asks for. Pure."""

from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Final, NamedTuple

from console.queries.parameters import Asked
from console.queries.steps import STEPS, Steps
from schemas.settings import APIS, Api
from schemas.wire.console_replies import Step
from serving.http.paging import page_size

UINT32_MAX = 2**32 - 1

PARAMETERS: Final = (
    "app",
    "source",
    "event",
    "from",
    "to",
    "step",
    "tz",
    "fill",
    "top",
    "limit",
    "pageToken",
)
DEFAULT_ROWS = 1_000
MAX_TOP = 100
PLACE_SHAPE: Final = (int, str, int, int)


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
class Shape:
    """How the counts are shown: the zone of its days, whether steps without a count have rows, how many events.

    `zone_name`: as it was asked for, because a page token is bound to it.
    """

    zone: tzinfo = UTC
    zone_name: str = ""
    fills: bool = False
    top: int | None = None


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
    shape: Shape = field(default_factory=Shape)

    @property
    def after(self) -> Place | None:
        return self.resume.after if self.resume else None

    @property
    def moment(self) -> Moment | None:
        return self.resume.moment if self.resume else None

    @property
    def at_once(self) -> bool:
        """Whether the whole range is read before the first row is known: only then is it known which events it has."""
        return self.shape.top is not None or (self.shape.fills and self.event is None)

    def steps(self) -> Steps:
        """The steps of the range."""
        return Steps(self.step, self.shape.zone, self.from_millis, self.to_millis)

    def without_page(self) -> tuple[str | int | None, ...]:
        """What all pages of the query share: a page token is bound to it.

        What is not asked for is not part of it, so that tokens of earlier versions stay valid.
        """
        shape = self.shape
        zone = ("tz", shape.zone_name) if shape.zone_name else ()
        fill = ("fill",) if shape.fills else ()
        return (self.app, self.source, self.event, self.from_millis, self.to_millis, self.step, *zone, *fill)


def counts_query(asked: Asked, default_rows: int, max_rows: int, max_days: int) -> CountsQuery:
    """The query of these parameters. Raises BadQuery that names each wrong one."""
    source, step = asked.one_of("source", APIS), asked.one_of("step", STEPS, "hour")
    zone = asked.zone()
    start, end = asked.range(zone, max_days, required=True)
    limit = asked.limit(default_rows, max_rows)
    shape = _shape(asked, zone)
    if source is None or step is None or start is None or end is None or asked.wrong:
        asked.require_valid()
        raise AssertionError("what is missing is noted")
    query = CountsQuery(asked.app, source, asked.parameters.get("event"), start, end, step, limit, shape=shape)
    _check_rows(asked, query, max_rows)
    place = asked.place(query.without_page(), PLACE_SHAPE)
    asked.require_valid()
    if shape.top is not None:
        return replace(query, limit=max_rows)
    return query if place is None else replace(query, resume=_resume(*place))


def _shape(asked: Asked, zone: tzinfo) -> Shape:
    parameters = asked.parameters
    fills = "fill" in parameters and asked.one_of("fill", ("zero",)) is not None
    top = page_size(parameters["top"], UINT32_MAX) if "top" in parameters else None
    if "top" in parameters:
        if top is None or top > MAX_TOP:
            asked.refuse("top", f"Must be a whole number from 1 to {MAX_TOP}")
        for other in ("event", "limit", "pageToken"):
            if other in parameters:
                asked.refuse(other, "Must be absent with top: the answer has all rows of the top events")
    return Shape(zone, parameters.get("tz", ""), fills, top)


def _check_rows(asked: Asked, query: CountsQuery, max_rows: int) -> None:
    """With `top` there is one page, so all rows must fit."""
    top = query.shape.top
    # One row more for all other events.
    if top is not None and (most := query.steps().number * (top + 1)) > max_rows:
        asked.refuse("top", f"Up to {most} rows, more than {max_rows}: ask for fewer events, or a longer step")


def _resume(at_millis: int, event: str, seconds: int, increment: int) -> Resume:
    # 0 seconds: the page before showed no single moment. Both numbers have 32 bits; only a forged token has more.
    has_moment = 0 < seconds <= UINT32_MAX and increment <= UINT32_MAX
    return Resume(Place(at_millis, event), Moment(seconds, increment) if has_moment else None)
