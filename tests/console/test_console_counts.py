"""GET /v1/counts: the laws of its sums and of its pages (Q4, Q5, Q6)."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.counts import (
    MAX_PART_HOURS,
    PART_DOCUMENTS,
    STEP_MILLIS,
    CountsPage,
    CountsQuery,
    Place,
    Row,
    Step,
    counts_query,
    part_of,
)
from console.query import BadQuery, Parameters, place_of
from schemas.coordinates import PartitionId
from schemas.documents import period_count_key, utc
from tests.console.rig import DAY, HOUR, MIDNIGHT, MINUTE, Rig, period_counts

SPAN_MINUTES = 3 * 24 * 60
STEPS = st.sampled_from(tuple(STEP_MILLIS))
# A title may hold the separator of ids, or sort before it.
EVENTS = ("A", "A/B", "A!", "é")

Counted = tuple[int, str, int]
minutes = st.integers(0, SPAN_MINUTES - 1).map(lambda minute: MIDNIGHT + minute * MINUTE)
counted = st.lists(st.tuples(minutes, st.sampled_from(EVENTS), st.integers(1, 2**40)), max_size=30)
moments = st.integers(MIDNIGHT - HOUR, MIDNIGHT + SPAN_MINUTES * MINUTE + HOUR)


def query(
    step: Step = "hour", start: int = MIDNIGHT, end: int = MIDNIGHT + DAY, limit: int = 1_000, **more: str
) -> dict[str, str]:
    given_ = {"source": "games", "step": step, "from": str(start), "to": str(end), "limit": str(limit)}
    return given_ | more


def held(partitions: Sequence[Sequence[Counted]]) -> Rig:
    """A console whose store holds what these partitions' workers wrote, another app's and source's beside it."""
    rig = Rig()
    for number, one in enumerate(partitions):
        rig.store.counts |= period_counts(one, number)
        rig.store.counts |= period_counts(one, number, app="demo2") | period_counts(one, number, source="analytics")
    return rig


async def walk(rig: Rig, parameters: Parameters, max_documents: int = 200_000) -> list[Row]:
    """All pages of a query, one after the other."""
    rows: list[Row] = []
    asked, token = 0, ""
    while asked == 0 or token:
        asked += 1
        assert asked < 500
        one = counts_query({**parameters, "pageToken": token} if token else parameters, "demo", 10_000, 400)
        page = CountsPage(one, max_documents)
        while page.wanted:
            async for documents in rig.store.period_counts(page.wanted):
                page.add(documents)
            page.close()
        assert len(page.rows) <= one.limit
        rows += page.rows
        token = str(page.answer().get("nextPageToken", ""))
    return rows


def expected(all_counted: Sequence[Counted], start: int, end: int, step: Step) -> list[Row]:
    sums: Counter[Place] = Counter()
    for at, event, count in all_counted:
        if start <= at < end:
            sums[Place(at - at % STEP_MILLIS[step], event)] += count
    return [Row(place.at_millis, place.event, count) for place, count in sorted(sums.items())]


@settings(deadline=None)
@given(counted, st.data(), STEPS, moments, moments)
async def test_q5_sums_are_the_same_however_partitions_split_them(
    all_counted: list[Counted], data: st.DataObject, step: Step, one: int, other: int
) -> None:
    """Any split over partitions, any range, any step: what was counted in the minutes that begin in the range."""
    start, end = sorted((one, other + (one == other)))
    split = [data.draw(st.integers(0, 2)) for _ in all_counted]
    partitions = [[c for c, at in zip(all_counted, split, strict=True) if at == number] for number in range(3)]
    assert expected(all_counted, start, end, step) == await walk(held(partitions), query(step, start, end))


@settings(deadline=None)
@given(counted, STEPS, st.integers(1, 7), st.integers(1, 9))
async def test_q6_the_pages_hold_every_row_exactly_once(
    all_counted: list[Counted], step: Step, limit: int, max_documents: int
) -> None:
    """Whatever the limit, and however early a page ends because it has read enough."""
    rig, end = held([all_counted]), MIDNIGHT + 3 * DAY
    rows = await walk(rig, query(step, end=end, limit=limit), max_documents)
    assert expected(all_counted, MIDNIGHT, end, step) == rows


@settings(deadline=None)
@given(counted, STEPS, st.lists(moments, min_size=3, max_size=3, unique=True))
async def test_q4_ranges_side_by_side_add_up(all_counted: list[Counted], step: Step, edges: list[int]) -> None:
    """[a, b) and [b, c) hold together what [a, c) holds, wherever b is."""
    rig, edges = held([all_counted]), sorted(edges)

    async def total(start: int, end: int) -> int:
        return sum(row.count for row in await walk(rig, query(step, start, end)))

    parts = [await total(start, end) for start, end in pairwise(edges)]
    assert await total(edges[0], edges[-1]) == sum(parts)


async def test_q4_days_are_utc_and_the_first_row_may_begin_before_the_range() -> None:
    """A row's time is the start of its step; of the first step only what lies in the range counts."""
    late, early = MIDNIGHT + DAY - MINUTE, MIDNIGHT + MINUTE
    rig = held([[(early, "A", 1), (late, "A", 2), (late + MINUTE, "A", 4)]])
    found = await walk(rig, query("day", early + MINUTE, MIDNIGHT + 2 * DAY))
    assert [Row(MIDNIGHT, "A", 2), Row(MIDNIGHT + DAY, "A", 4)] == found


async def test_q5_one_event_may_be_asked_for_though_its_neighbours_share_its_ids() -> None:
    """`A/B`'s ids begin as `A`'s do."""
    rig = held([[(MIDNIGHT, event, n) for n, event in enumerate(EVENTS, 1)]])
    assert [Row(MIDNIGHT, "A", 1)] == await walk(rig, query(event="A"))
    assert [Row(MIDNIGHT, "A/B", 2)] == await walk(rig, query(event="A/B"))


async def test_q5_what_counts_nothing_is_left_out() -> None:
    """A row says that something happened."""
    assert [] == await walk(held([[(MIDNIGHT, "A", 0)]]), query())


def test_q9_the_ids_asked_for_are_those_a_worker_writes() -> None:
    """And no other app's, source's or hour's: one range an hour."""
    one = CountsQuery("demo", "games", None, MIDNIGHT, MIDNIGHT + DAY, "hour", 10)
    part = part_of(one, MIDNIGHT, MIDNIGHT + 2 * HOUR)
    at = PartitionId("r1", 3)
    for hour, (low, high) in zip((MIDNIGHT, MIDNIGHT + HOUR), part.ids, strict=True):
        assert low <= period_count_key(utc(hour), "demo", "games", "A", at) < high
        for other in (("demo2", "games"), ("demo", "games2"), ("dem", "games")):
            assert not low <= period_count_key(utc(hour), *other, "A", at) < high
        assert not low <= period_count_key(utc(hour + HOUR), "demo", "games", "A", at) < high


def test_q9_parts_grow_while_little_is_found_and_shrink_when_much_is() -> None:
    """A year of nothing costs a hundred commands at most; a busy hour is not read with three more."""
    page = CountsPage(CountsQuery("demo", "games", None, MIDNIGHT, MIDNIGHT + 400 * DAY, "day", 10), 10**9)
    lengths: list[int] = []
    while page.wanted and len(lengths) < 6:
        lengths.append(len(page.wanted.ids))
        page.close()
    assert [24, 48, 96, 96, 96, 96] == lengths
    assert page.wanted
    document = next(iter(period_counts([(page.wanted.from_millis, "A", 1)]).values()))
    page.add([document] * PART_DOCUMENTS)
    page.close()
    assert page.wanted
    assert MAX_PART_HOURS // 2 == len(page.wanted.ids)


def test_q9_minutes_are_read_only_of_hours_that_are_cut() -> None:
    """They are several times the rest of a document."""
    one = CountsQuery("demo", "games", None, MIDNIGHT + MINUTE, MIDNIGHT + 3 * HOUR - 1, "hour", 10)
    part = part_of(one, MIDNIGHT, MIDNIGHT + 3 * HOUR)
    assert (utc(MIDNIGHT), utc(MIDNIGHT + 2 * HOUR)) == part.cut


def test_q6_a_page_that_took_too_long_ends_with_what_it_has() -> None:
    """And the next one goes on behind it, whatever it found."""
    one = CountsQuery("demo", "games", None, MIDNIGHT, MIDNIGHT + DAY, "hour", 10)
    page = CountsPage(one, 10**9)
    page.close(ends=True)
    assert (None, []) == (page.wanted, list(page.rows))
    assert (MIDNIGHT + HOUR, "") == place_of(str(page.answer()["nextPageToken"]), one.named())


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"source": "other"}, "source"),
        ({"source": ""}, "source"),
        ({"step": "week"}, "step"),
        ({"from": "x"}, "from"),
        ({"to": str(MIDNIGHT)}, "to"),
        ({"to": str(MIDNIGHT + 401 * DAY)}, "to"),
        ({"limit": "0"}, "limit"),
        ({"pageToken": "x"}, "pageToken"),
    ],
)
def test_q3_a_parameter_that_is_wrong_is_named(changed: dict[str, str], field: str) -> None:
    """One sentence each."""
    with pytest.raises(BadQuery) as caught:
        counts_query(query() | changed, "demo", 1_000, 400)
    assert [field] == [violation.field for violation in caught.value.violations]


def test_q3_all_that_is_missing_is_named_at_once() -> None:
    """Who forgets one forgets two."""
    with pytest.raises(BadQuery) as caught:
        counts_query({"step": "x"}, "demo", 1_000, 400)
    assert ["source", "step", "from", "to"] == [violation.field for violation in caught.value.violations]
