"""Days, weeks and months in time zones, against a calendar that is walked minute by minute (Q11)."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from console.queries import counts
from console.queries.counts import CountsPage, TooMuch
from console.queries.counts_query import CountsQuery, Shape, counts_query
from console.queries.parameters import Asked, millis_param, zone_param
from console.queries.rows import Row
from console.queries.steps import Steps
from console.queries.zones import LAST_DATE, shown_in, similar_zone, start_of_day, zone_names, zone_of
from schemas.documents import millis_of, utc
from schemas.wire.console_replies import Step
from serving.http.query import BadQuery
from tests.console.rig import DAY, HOUR, MIDNIGHT, MINUTE, Rig, period_counts, read_token
from tests.examples import examples

CALENDAR_STEPS = st.sampled_from(("day", "week", "month"))
# Zones and moments around which their days are not 24 hours, or begin within an hour of UTC, or do not exist.
CHANGES: Mapping[str, datetime] = {
    "Europe/Berlin": datetime(2026, 3, 29, 1, tzinfo=UTC),
    "America/New_York": datetime(2026, 11, 1, 6, tzinfo=UTC),
    "America/Sao_Paulo": datetime(2018, 11, 4, 3, tzinfo=UTC),  # midnight is skipped
    "America/Havana": datetime(2026, 11, 1, 5, tzinfo=UTC),  # midnight comes twice
    "America/St_Johns": datetime(2009, 11, 1, 2, 31, tzinfo=UTC),  # a minute after midnight it is yesterday again
    "Pacific/Apia": datetime(2011, 12, 30, 10, tzinfo=UTC),  # a day is skipped
    "Australia/Lord_Howe": datetime(2026, 4, 4, 15, tzinfo=UTC),  # half an hour
    "Asia/Kathmandu": datetime(2026, 1, 1, tzinfo=UTC),  # 5:45
    "Africa/Monrovia": datetime(1972, 1, 7, tzinfo=UTC),  # until here, 44 minutes and 30 seconds
    "America/Nuuk": datetime(2024, 3, 31, 1, tzinfo=UTC),
    "Africa/Cairo": datetime(2024, 4, 25, 22, tzinfo=UTC),  # midnight is skipped
    "UTC": datetime(2027, 1, 1, tzinfo=UTC),
}


@st.composite
def ranges(draw: st.DrawFn) -> tuple[str, int, int]:
    """A zone, and a range of a few days near one of its changes."""
    name = draw(st.sampled_from(tuple(CHANGES)))
    middle = millis_of(CHANGES[name])
    edges = st.integers(-3 * DAY, 3 * DAY).map(lambda away: middle + away)
    start, end = sorted((draw(edges), draw(edges)))
    return name, start, end + (start == end)


def naive_starts(name: str, step: Step, start: int, end: int) -> list[int]:
    """The steps that begin in a range, and the one that it begins in."""
    found = all_starts(name, step)
    before = [one for one in found if one <= start]
    return [before[-1], *(one for one in found if start < one < end)]


@cache
def all_starts(name: str, step: Step) -> list[int]:
    """The steps of the weeks around a zone's change: by the date of every minute."""
    middle, zone = millis_of(CHANGES[name]), ZoneInfo(name)
    latest, found = date.min, []
    for minute in range(middle - middle % MINUTE - 45 * DAY, middle + 4 * DAY, MINUTE):
        day = utc(minute).astimezone(zone).date()
        key = {"day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1)}[step]
        if key > latest:
            latest = key
            found.append(minute)
    return found


@settings(deadline=None, max_examples=examples(40))
@given(ranges(), CALENDAR_STEPS)
@example(("America/St_Johns", 1_257_041_400_000, 1_257_120_000_000), "day")
@example(("Africa/Monrovia", 63_420_285_000, 63_547_200_000), "day")
@example(("Pacific/Apia", 1_325_000_000_000, 1_325_400_000_000), "day")
def test_q11_steps_begin_at_the_first_minute_of_their_date(found: tuple[str, int, int], step: Step) -> None:
    """Where midnight is skipped, comes twice, or the whole day is skipped."""
    name, start, end = found
    zone = zone_of(name)
    assert zone
    steps = Steps(step, zone, start, end)
    assert naive_starts(name, step, start, end) == list(steps.between(start, end))
    assert len(list(steps.between(start, end))) == steps.number


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 11, 23), 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),
        ("America/Havana", date(2026, 11, 1), 25),
        ("Pacific/Apia", date(2011, 12, 30), 0),
    ],
)
def test_q11_a_day_may_have_other_than_24_hours(name: str, day: date, hours: float) -> None:
    """23 or 25 at a change; none where a country crosses the date line."""
    zone = ZoneInfo(name)
    assert hours * HOUR == start_of_day(day + timedelta(days=1), zone) - start_of_day(day, zone)


def test_q11_weeks_are_those_of_iso_8601_also_over_the_end_of_a_year() -> None:
    """They begin on Monday: 2027-01-01 is a Friday."""
    start, end = millis_of(datetime(2026, 12, 30, tzinfo=UTC)), millis_of(datetime(2027, 1, 12, tzinfo=UTC))
    found = [f"{utc(at):%F %a}" for at in Steps("week", UTC, start, end).between(start, end)]
    assert ["2026-12-28 Mon", "2027-01-04 Mon", "2027-01-11 Mon"] == found


def test_q11_months_have_their_own_lengths() -> None:
    """A leap year's February too."""
    start, end = millis_of(datetime(2028, 1, 31, tzinfo=UTC)), millis_of(datetime(2028, 4, 1, 0, 0, 1, tzinfo=UTC))
    found = [f"{utc(at):%F}" for at in Steps("month", UTC, start, end).between(start, end)]
    assert ["2028-01-01", "2028-02-01", "2028-03-01", "2028-04-01"] == found


def test_q11_every_zone_has_days_in_every_year_that_can_be_asked_for() -> None:
    """From 1970 on, and at the end of the year 9999, which datetime cannot pass."""
    last = millis_of(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    for name in zone_names():
        zone = zone_of(name)
        assert zone
        for start, end in ((0, DAY), (last - 40 * DAY, last)):
            for step in ("day", "week", "month"):
                starts = list(Steps(step, zone, start, end).between(start, end))
                assert starts == sorted(set(starts))
                assert starts[0] <= start
    assert LAST_DATE < date(9999, 12, 1)


@pytest.mark.parametrize(
    "name", ["../UTC", "/etc/localtime", "localtime", "europe/berlin", "CET+1", "Europe", "\0", ""]
)
def test_q11_what_is_no_zone_has_none(name: str) -> None:
    """The list of names is closed."""
    assert zone_of(name) is None


@pytest.mark.parametrize(
    ("name", "meant"), [("Berlin", "Europe/Berlin"), ("america/new york", "America/New_York"), ("Mars", None)]
)
def test_q11_a_zone_that_is_similar_is_named(name: str, meant: str | None) -> None:
    """In the violation of `tz`."""
    assert meant == similar_zone(name)
    with pytest.raises(BadQuery, match=f"Did you mean {meant}" if meant else "Europe/Berlin"):
        zone_param({"tz": name})


@pytest.mark.parametrize(
    "name", ["Asia/Calcutta", "Asia/Kolkata", "Etc/GMT+5", "America/Argentina/Ushuaia", "US/Pacific"]
)
def test_q11_earlier_names_of_zones_are_known(name: str) -> None:
    """Browsers send them."""
    assert zone_of(name) is not None


@pytest.mark.parametrize(
    ("name", "at", "shown"),
    [
        ("UTC", MIDNIGHT, "2026-11-23T00:00:00.000Z"),
        ("Etc/UTC", MIDNIGHT, "2026-11-23T00:00:00.000Z"),
        ("Europe/Berlin", MIDNIGHT - HOUR, "2026-11-23T00:00:00.000+01:00"),
        ("Asia/Kathmandu", MIDNIGHT, "2026-11-23T05:45:00.000+05:45"),
        ("Africa/Monrovia", 0, "1970-01-01T00:00:00.000Z"),
    ],
)
def test_q11_times_are_shown_with_the_offset_of_the_zone(name: str, at: int, shown: str) -> None:
    """RFC 3339. An offset with seconds, which it does not have, is shown as UTC."""
    zone = zone_of(name)
    assert zone
    assert shown == shown_in(zone, at)
    assert at == millis_of(datetime.fromisoformat(shown))


@pytest.mark.parametrize(
    ("text", "name", "millis"),
    [
        ("2026-11-23", "UTC", MIDNIGHT),
        ("2026-11-23", "Europe/Berlin", MIDNIGHT - HOUR),
        ("2018-11-04", "America/Sao_Paulo", millis_of(datetime(2018, 11, 4, 3, tzinfo=UTC))),
        ("1970-01-01", "UTC", 0),
    ],
)
def test_q11_a_date_is_its_start_in_the_zone(text: str, name: str, millis: int) -> None:
    """So `from=2026-11-01&to=2026-12-01` is November there."""
    zone = zone_of(name)
    assert zone
    assert millis == millis_param({"from": text}, "from", zone)


def test_q11_a_date_before_1970_in_the_zone_is_refused() -> None:
    """Midnight in Berlin was in 1969 UTC."""
    zone = zone_of("Europe/Berlin")
    assert zone
    with pytest.raises(BadQuery, match="from"):
        millis_param({"from": "1970-01-01"}, "from", zone)


Counted = tuple[int, str, int]
EVENTS = ("A", "B", "(other)", "é")


@st.composite
def cases(draw: st.DrawFn) -> tuple[tuple[str, int, int], list[Counted]]:
    found = draw(ranges())
    _, start, end = found
    times = st.integers(start - DAY, end + DAY).map(lambda at: at - at % MINUTE)
    return found, draw(st.lists(st.tuples(times, st.sampled_from(EVENTS), st.integers(1, 2**40)), max_size=25))


async def walk(rig: Rig, **asked: object) -> list[Row]:
    """All rows over HTTP, on all pages."""
    rows: list[Row] = []
    token: str | None = None
    for _ in range(500):
        answer = await rig.get("/v1/counts", {"source": "games", **asked, "pageToken": token})
        assert 200 == answer.status, answer.body
        rows += [
            Row(millis_of(datetime.fromisoformat(row["at"])), row["event"], row["count"]) for row in answer.json["rows"]
        ]
        token = answer.json.get("nextPageToken")
        if token is None:
            return rows
    raise AssertionError("the pages have no end")


def summed(counted: list[Counted], starts: list[int], start: int, end: int) -> dict[tuple[int, str], int]:
    sums: dict[tuple[int, str], int] = {}
    for at, event, count in counted:
        if start <= at < end:
            place = (max(one for one in starts if one <= at), event)
            sums[place] = sums.get(place, 0) + count
    return sums


def held(counted: list[Counted]) -> Rig:
    rig = Rig()
    half = len(counted) // 2
    rig.store.counts |= period_counts(counted[:half], 0) | period_counts(counted[half:], 1)
    return rig


@settings(deadline=None, max_examples=examples(40))
@given(cases(), CALENDAR_STEPS, st.sampled_from((None, 1, 2)))
async def test_q11_counts_by_day_week_and_month_are_right_to_the_unit(
    case: tuple[tuple[str, int, int], list[Counted]], step: Step, limit: int | None
) -> None:
    """In zones whose days begin within an hour of UTC too, and on pages of any size."""
    (name, start, end), counted = case
    sums = summed(counted, naive_starts(name, step, start, end), start, end)
    expected = [Row(at, event, count) for (at, event), count in sorted(sums.items())]
    assert expected == await walk(held(counted), **{"from": start, "to": end}, step=step, tz=name, limit=limit)


@pytest.mark.parametrize("name", ["Asia/Kathmandu", "Australia/Lord_Howe", "Europe/Berlin"])
async def test_q11_an_hour_of_two_days_is_counted_by_its_minutes(name: str) -> None:
    """A document has an hour of UTC. In Kathmandu the day begins at 18:15."""
    start = MIDNIGHT + 7 * MINUTE
    counted = [(MIDNIGHT + n * 5 * MINUTE, "A", 1) for n in range(12 * 24 * 12)]
    end = counted[-1][0] - HOUR
    expected: dict[date, int] = {}
    for at, _, count in counted:
        if start <= at < end:
            day = utc(at).astimezone(ZoneInfo(name)).date()
            expected[day] = expected.get(day, 0) + count
    for limit in (None, 2):
        found = await walk(held(counted), **{"from": start, "to": end}, step="day", tz=name, limit=limit)
        days = {utc(row.at_millis).astimezone(ZoneInfo(name)).date(): row.count for row in found}
        assert expected == days


@settings(deadline=None, max_examples=examples(30))
@given(
    case=cases(),
    step=st.sampled_from(("hour", "day", "week", "total")),
    limit=st.sampled_from((None, 1, 3)),
    one_event=st.booleans(),
)
async def test_q12_filled_with_zeros_each_event_has_a_row_in_each_step(
    case: tuple[tuple[str, int, int], list[Counted]], step: Step, limit: int | None, *, one_event: bool
) -> None:
    """Of all events that have a count in the range, or of the one that is asked for, on pages of any size."""
    (name, start, end), counted = case
    starts = list(_starts(name, step, start, end))
    sums = summed(counted, starts, start, end)
    events = ["A"] if one_event else sorted({event for _, event in sums})
    expected = [Row(at, event, sums.get((at, event), 0)) for at in starts for event in events]
    asked = {"from": start, "to": end, "event": "A" if one_event else None}
    assert expected == await walk(held(counted), **asked, step=step, tz=name, limit=limit, fill="zero")


@pytest.mark.parametrize("limit", [None, 1, 2, 3])
async def test_q12_filled_pages_are_in_order_and_repeat_no_row(limit: int | None) -> None:
    """Events are in the order of their names, whichever was counted first."""
    counted = [(MIDNIGHT, "C", 1), (MIDNIGHT + HOUR, "A", 2), (MIDNIGHT + HOUR, "B", 3)]
    asked = {"from": MIDNIGHT, "to": MIDNIGHT + 2 * HOUR}
    first, second = {"C": 1}, {"A": 2, "B": 3}
    expected = [Row(MIDNIGHT + n * HOUR, one, (first, second)[n].get(one, 0)) for n in range(2) for one in "ABC"]
    assert expected == await walk(held(counted), **asked, step="hour", limit=limit, fill="zero")
    only = [row for row in expected if row.event == "A"]
    assert only == await walk(held(counted), **asked, event="A", step="hour", limit=limit, fill="zero")


def _starts(name: str, step: Step, start: int, end: int) -> Iterator[int]:
    if step == "total":
        yield start
    elif step == "hour":
        yield from range(start - start % HOUR, end, HOUR)
    else:
        yield from naive_starts(name, step, start, end)


@settings(deadline=None, max_examples=examples(30))
@given(case=cases(), step=st.sampled_from(("hour", "day", "total")), top=st.integers(1, 3), fills=st.booleans())
async def test_q12_the_top_events_have_rows_of_their_own_and_the_rest_is_one(
    case: tuple[tuple[str, int, int], list[Counted]], step: Step, top: int, *, fills: bool
) -> None:
    """With titles that have no count of their own, which are `(other)` already."""
    (name, start, end), counted = case
    starts = list(_starts(name, step, start, end))
    sums = summed(counted, starts, start, end)
    totals: dict[str, int] = {}
    for (_, event), count in sums.items():
        totals[event] = totals.get(event, 0) + count
    ranked = sorted((event for event in totals if event != "(other)"), key=lambda one: (-totals[one], one))
    shown = ranked[:top]
    expected: dict[tuple[int, str], int] = {}
    for (at, event), count in sums.items():
        place = (at, event if event in shown else "(other)")
        expected[place] = expected.get(place, 0) + count
    if fills:
        names = {event for _, event in expected}
        expected = {(at, event): expected.get((at, event), 0) for at in starts for event in names}
    asked: dict[str, object] = {"from": start, "to": end, "step": step, "tz": name, "top": top}
    answer = await held(counted).get("/v1/counts", {"source": "games", **asked, "fill": "zero" if fills else None})
    rows = [(millis_of(datetime.fromisoformat(row["at"])), row["event"], row["count"]) for row in answer.json["rows"]]
    assert [(at, event, count) for (at, event), count in sorted(expected.items())] == rows
    assert [{"event": event, "count": totals[event]} for event in shown] == answer.json["top"]
    assert "nextPageToken" not in answer.json


async def test_q12_of_events_with_one_total_the_first_names_are_at_the_top() -> None:
    """`(other)` is never one of them, however much it counts: it stands for many."""
    counted = [(MIDNIGHT, event, count) for event, count in (("D", 1), ("(other)", 9), ("B", 2), ("C", 2), ("A", 2))]
    asked = {"source": "games", "from": MIDNIGHT, "to": MIDNIGHT + HOUR, "step": "hour", "top": 2}
    answer = (await held(counted).get("/v1/counts", asked)).json
    assert [{"event": "A", "count": 2}, {"event": "B", "count": 2}] == answer["top"]
    assert [("(other)", 12), ("A", 2), ("B", 2)] == [(row["event"], row["count"]) for row in answer["rows"]]


async def test_q12_a_total_is_one_row_for_each_event() -> None:
    """Its time is the start of the range, and its rows have pages too."""
    counted = [(MIDNIGHT + n * 5 * HOUR, event, 1) for n in range(200) for event in ("A", "B")]
    asked = {"from": MIDNIGHT + MINUTE, "to": MIDNIGHT + 40 * DAY, "step": "total"}
    expected = [Row(MIDNIGHT + MINUTE, "A", 191), Row(MIDNIGHT + MINUTE, "B", 191)]
    for limit in (None, 1):
        assert expected == await walk(held(counted), **asked, limit=limit)


def parameters(**changed: str) -> dict[str, str]:
    found = {"source": "games", "from": "2026-11-23", "to": "2026-11-24", **changed}
    return {name: value for name, value in found.items() if value}


def wrong(**changed: str) -> list[str]:
    with pytest.raises(BadQuery) as caught:
        counts_query(Asked(parameters(**changed), "demo"), 1_000, 1_000, 400)
    return [one.field for one in caught.value.violations]


def test_q3_every_wrong_parameter_of_counts_is_named_at_once() -> None:
    """Also those that are wrong only together."""
    found = wrong(
        source="x", step="year", tz="Mars/Olympus", **{"from": "1", "to": "x"}, limit="0", fill="one", top="0"
    )
    assert ["source", "step", "tz", "to", "limit", "fill", "top", "limit"] == found
    assert ["event", "limit", "pageToken"] == wrong(top="3", event="A", limit="5", pageToken="x")
    assert ["top"] == wrong(top="101")
    assert ["tz", "to"] == wrong(tz="UTC+1", **{"from": "2026-11-24"})


async def test_q3_unknown_repeated_and_unreadable_parameters_are_named_with_the_invalid_ones() -> None:
    """In one reply, of at most twenty violations."""
    rig = Rig()
    headers = {"authorization": f"Bearer {read_token()}"}
    answer = await rig.call("GET", "/v1/counts", "source=games&form=1&to=1&to=2&from=%ff&step=x", headers)
    assert ["from", "form", "to", "step", "from"] == answer.fields
    many = await rig.call("GET", "/v1/counts", "&".join(f"n{n}=1" for n in range(40)), headers)
    assert (400, 20) == (many.status, len(many.fields))


def test_q12_top_is_refused_where_its_rows_do_not_fit_in_a_page() -> None:
    """1,440 minutes of three events and the rest are more than 1,000 rows."""
    assert ["top"] == wrong(top="3", step="minute")
    fits = counts_query(Asked(parameters(top="3", step="hour"), "demo"), 1_000, 1_000, 400)
    assert (True, 1_000) == (fits.at_once, fits.limit)


def test_q6_a_token_is_bound_to_the_zone_and_to_fill() -> None:
    """But a token from before there were zones stays valid."""
    plain = counts_query(Asked(parameters(), "demo"), 1_000, 1_000, 400).without_page()
    assert ("demo", "games", None, MIDNIGHT, MIDNIGHT + DAY, "hour") == plain
    times = {"from": str(MIDNIGHT), "to": str(MIDNIGHT + DAY)}
    others = [parameters(tz="Asia/Tokyo", **times), parameters(fill="zero", **times)]
    bound = [counts_query(Asked(one, "demo"), 1_000, 1_000, 400).without_page() for one in others]
    assert 3 == len({plain, *bound})


@pytest.mark.parametrize("shape", [Shape(top=1), Shape(fills=True)])
def test_q9_a_query_of_the_whole_range_that_takes_too_long_has_no_answer(shape: Shape) -> None:
    """A part of it would be wrong."""
    one = CountsQuery("demo", "games", None, MIDNIGHT, MIDNIGHT + 400 * DAY, "day", 10, shape=shape)
    page = CountsPage(one, 10**9)
    with pytest.raises(TooMuch):
        page.close(ends=True)


def test_q9_a_step_that_takes_too_long_has_no_answer_but_a_later_one_ends_the_page() -> None:
    """A page ends with a whole step."""
    one = CountsQuery("demo", "games", None, MIDNIGHT, MIDNIGHT + 60 * DAY, "month", 10)
    page = CountsPage(one, 10**9)
    with pytest.raises(TooMuch):
        page.close(ends=True)
    page = CountsPage(one, 1)
    while page.wanted and page.wanted.to_millis <= millis_of(datetime(2026, 12, 10, tzinfo=UTC)):
        page.add([document(page.wanted.from_millis)])
        page.close()
    if page.wanted:
        page.close(ends=True)
    assert (None, ["2026-11-01T00:00:00.000Z"]) == (page.wanted, [shown_in(UTC, row.at_millis) for row in page.rows])
    assert page.next
    assert "2026-12-01T00:00:00.000Z" == shown_in(UTC, page.next.at_millis)


def document(at: int) -> dict[str, Any]:
    return next(iter(period_counts([(at, "A", 1)]).values()))


def test_q9_sums_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many events there are in the range."""
    monkeypatch.setattr(counts, "MAX_SUMS", 100)
    one = CountsQuery("demo", "games", None, MIDNIGHT, MIDNIGHT + 400 * DAY, "total", 10)
    page = CountsPage(one, 10**9)
    found = document(MIDNIGHT)
    page.add([{**found, "event": f"{n}"} for n in range(101)])
    with pytest.raises(TooMuch):
        page.close()
