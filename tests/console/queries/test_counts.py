"""GET /v1/counts: the laws of its counts and of its pages (Q4, Q5, Q6)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.queries.counts import (
    MAX_PART_HOURS,
    PART_DOCUMENTS,
    CountsPage,
    part_of,
)
from console.queries.counts_query import CountsQuery, Place, counts_query
from console.queries.parameters import Asked, Parameters
from console.queries.rows import Row
from schemas.coordinates import PartitionId
from schemas.documents import period_count_key, utc
from schemas.wire.console_replies import Step
from serving.http.paging import digest_place, digest_token
from serving.http.query import BadQuery
from tests.console.rig import DAY, HOUR, MIDNIGHT, MINUTE, Rig, period_counts
from tests.examples import examples

# What a page token of counts holds: time, event, and the moment.
PLACE = (int, str, int, int)
SPAN_MINUTES = 3 * 24 * 60
STEP_MILLIS: Mapping[Step, int] = {"minute": MINUTE, "hour": HOUR, "day": DAY}
STEPS = st.sampled_from(tuple(STEP_MILLIS))
# A title may contain the separator of ids, or sort before it.
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
    """A console whose store has the counts of these partitions, and some of another app and of another source."""
    rig = Rig()
    for number, one in enumerate(partitions):
        rig.store.counts |= period_counts(one, number)
        rig.store.counts |= period_counts(one, number, app="demo2") | period_counts(one, number, source="analytics")
    return rig


async def walk(rig: Rig, parameters: Parameters, max_documents: int = 200_000) -> list[Row]:
    """All pages of a query, in order."""
    rows: list[Row] = []
    asked, token = 0, ""
    while asked == 0 or token:
        asked += 1
        assert asked < 500
        one = counts_query(
            Asked({**parameters, "pageToken": token} if token else parameters, "demo"), 1_000, 10_000, 400
        )
        page = CountsPage(one, max_documents)
        while page.wanted:
            async for documents in rig.store.period_counts(page.wanted, None):
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
    """For any range and step, the rows add up to what was counted in the minutes that begin in the range."""
    start, end = sorted((one, other + (one == other)))
    split = [data.draw(st.integers(0, 2)) for _ in all_counted]
    partitions = [[c for c, at in zip(all_counted, split, strict=True) if at == number] for number in range(3)]
    assert expected(all_counted, start, end, step) == await walk(held(partitions), query(step, start, end))


@settings(deadline=None)
@given(counted, STEPS, st.integers(1, 7), st.integers(1, 9))
async def test_q6_the_pages_hold_every_row_exactly_once(
    all_counted: list[Counted], step: Step, limit: int, max_documents: int
) -> None:
    """With any limit, and with pages that end early because they have read many documents."""
    rig, end = held([all_counted]), MIDNIGHT + 3 * DAY
    rows = await walk(rig, query(step, end=end, limit=limit), max_documents)
    assert expected(all_counted, MIDNIGHT, end, step) == rows


@settings(deadline=None)
@given(counted, STEPS, st.lists(moments, min_size=3, max_size=3, unique=True))
async def test_q4_ranges_side_by_side_add_up(all_counted: list[Counted], step: Step, edges: list[int]) -> None:
    """[a, b) and [b, c) together count what [a, c) counts."""
    rig, edges = held([all_counted]), sorted(edges)

    async def total(start: int, end: int) -> int:
        return sum(row.count for row in await walk(rig, query(step, start, end)))

    parts = [await total(start, end) for start, end in pairwise(edges)]
    assert await total(edges[0], edges[-1]) == sum(parts)


grown = st.lists(st.lists(st.tuples(minutes, st.sampled_from(EVENTS), st.integers(1, 9)), max_size=4), max_size=30)


async def answers(rig: Rig, growth: Sequence[Sequence[Counted]], forgets: Sequence[bool], **asked: str) -> list[Any]:
    """All pages of a query over HTTP. Between two pages, workers count more and MongoDB may drop its moments."""
    whole = query(end=MIDNIGHT + 3 * DAY) | asked
    found = [(await rig.get("/v1/counts", whole)).json]
    counted_on, forgetting = iter(growth), iter(forgets)
    while token := found[-1].get("nextPageToken"):
        assert len(found) < 500
        add(rig, next(counted_on, ()))
        if next(forgetting, False):
            rig.store.kept.clear()
        found.append((await rig.get("/v1/counts", whole | {"pageToken": token})).json)
    return found


def add(rig: Rig, more: Sequence[Counted]) -> None:
    """Counts more in the partition of `held`. Documents are replaced, so the moments keep their versions."""
    for key, new in period_counts(more).items():
        old = rig.store.counts.get(key, {"count": 0, "minutes": {}})
        minutes_ = Counter(old["minutes"]) + Counter(new["minutes"])
        rig.store.counts[key] = {**new, "count": minutes_.total(), "minutes": dict(minutes_)}


def keys(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(row["at"], row["event"]) for row in rows]


@settings(deadline=None, max_examples=examples(50))
@given(counted, grown, STEPS, st.sampled_from(["1", "2", "5"]))
async def test_q6_all_pages_show_the_moment_of_the_first(
    all_counted: list[Counted], growth: list[list[Counted]], step: Step, limit: str
) -> None:
    """Whatever is counted meanwhile, the rows are those at the moment that every page names."""
    expected_ = await answers(held([all_counted]), [], [], step=step)
    found = await answers(held([all_counted]), growth, [], step=step, limit=limit)
    assert [row for page in expected_ for row in page["rows"]] == [row for page in found for row in page["rows"]]
    assert 1 == len({page["asOf"] for page in found})


@settings(deadline=None, max_examples=examples(50))
@given(
    all_counted=counted,
    growth=grown,
    forgets=st.lists(st.booleans(), max_size=30),
    step=STEPS,
    keeps=st.booleans(),
)
async def test_q6_no_row_comes_twice_and_none_is_skipped_though_moments_are_forgotten(
    all_counted: list[Counted], growth: list[list[Counted]], forgets: list[bool], step: Step, *, keeps: bool
) -> None:
    """If a walk takes too long, or MongoDB keeps no moments, counts grow during it, but rows keep their order."""
    before = await answers(held([all_counted]), [], [], step=step)
    rig = held([all_counted])
    rig.store.keeps_moments = keeps
    pages_ = await answers(rig, growth, forgets, step=step, limit="2")
    after = await answers(rig, [], [], step=step)
    first, rows, last = ([row for page in pages for row in page["rows"]] for pages in (before, pages_, after))
    assert sorted(set(keys(rows))) == keys(rows)
    assert set(keys(first)) <= set(keys(rows)) <= set(keys(last))
    assert all(keeps == ("asOf" in page) for page in pages_)
    least, most = ({key: row["count"] for key, row in zip(keys(all_), all_, strict=True)} for all_ in (first, last))
    assert all(least.get(key, 1) <= row["count"] <= most[key] for key, row in zip(keys(rows), rows, strict=True))


async def test_q6_a_later_page_of_a_forgotten_moment_says_so_by_a_newer_one() -> None:
    """A client that needs one moment for all pages notices the change, and can begin anew."""
    rig = held([[(MIDNIGHT + n * HOUR, "A", 1) for n in range(4)]])
    found = await answers(rig, [], [False, True], limit="1")
    moments = [page["asOf"] for page in found]
    assert moments[0] == moments[1] < moments[2] == moments[3]


@pytest.mark.parametrize(("moment", "read"), [((2**32, 1), None), ((1, 2**32), None), ((0, 1), None), ((7, 7), (7, 7))])
def test_q6_a_number_that_no_moment_has_is_no_moment(moment: tuple[int, int], read: tuple[int, int] | None) -> None:
    """MongoDB's client cannot write a number of more than 32 bits, and 0 stands for none."""
    asked = {name: str(value) for name, value in query().items()}
    bound_to = counts_query(Asked(asked, "demo"), 1_000, 1_000, 400).without_page()
    made_up = asked | {"pageToken": digest_token((MIDNIGHT, "A", *moment), bound_to)}
    assert read == counts_query(Asked(made_up, "demo"), 1_000, 1_000, 400).moment


@pytest.mark.parametrize("moment", [(2**32, 1), (1, 2**32), (0, 0), (7, 7)])
async def test_q6_a_moment_that_was_made_up_is_none(moment: tuple[int, int]) -> None:
    """The token is not signed. A forged one returns rows that the client may read anyway, and is never an error 500."""
    rig = held([[(MIDNIGHT, "A", 1), (MIDNIGHT + HOUR, "A", 2)]])
    asked = query()
    named = counts_query(Asked(asked, "demo"), 1_000, 1_000, 400).without_page()
    answer = await rig.get("/v1/counts", {**asked, "pageToken": digest_token((MIDNIGHT, "A", *moment), named)})
    assert [2] == [row["count"] for row in answer.json["rows"]]


async def test_q4_days_are_utc_and_the_first_row_may_begin_before_the_range() -> None:
    """A row's time is the start of its step. Its count includes only minutes in the range."""
    late, early = MIDNIGHT + DAY - MINUTE, MIDNIGHT + MINUTE
    rig = held([[(early, "A", 1), (late, "A", 2), (late + MINUTE, "A", 4)]])
    found = await walk(rig, query("day", early + MINUTE, MIDNIGHT + 2 * DAY))
    assert [Row(MIDNIGHT, "A", 2), Row(MIDNIGHT + DAY, "A", 4)] == found


async def test_q5_one_event_may_be_asked_for_though_its_neighbours_share_its_ids() -> None:
    """The ids of `A/B` begin like those of `A`."""
    rig = held([[(MIDNIGHT, event, n) for n, event in enumerate(EVENTS, 1)]])
    assert [Row(MIDNIGHT, "A", 1)] == await walk(rig, query(event="A"))
    assert [Row(MIDNIGHT, "A/B", 2)] == await walk(rig, query(event="A/B"))


async def test_q5_what_counts_nothing_is_left_out() -> None:
    """Zero counts have no row."""
    assert [] == await walk(held([[(MIDNIGHT, "A", 0)]]), query())


def test_q9_the_ids_asked_for_are_those_a_worker_writes() -> None:
    """One range for each hour, without documents of other apps, sources or hours."""
    one = CountsQuery("demo", "games", None, MIDNIGHT, MIDNIGHT + DAY, "hour", 10)
    part = part_of(one, one.steps(), MIDNIGHT, MIDNIGHT + 2 * HOUR)
    at = PartitionId("r1", 3)
    for hour, (low, high) in zip((MIDNIGHT, MIDNIGHT + HOUR), part.ids, strict=True):
        assert low <= period_count_key(utc(hour), "demo", "games", "A", at) < high
        for other in (("demo2", "games"), ("demo", "games2"), ("dem", "games")):
            assert not low <= period_count_key(utc(hour), *other, "A", at) < high
        assert not low <= period_count_key(utc(hour + HOUR), "demo", "games", "A", at) < high


def test_q9_parts_grow_while_little_is_found_and_shrink_when_much_is() -> None:
    """An empty year takes at most a hundred commands, and a part after a busy one is shorter."""
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
    """They are several times as large as the rest of a document."""
    one = CountsQuery("demo", "games", None, MIDNIGHT + MINUTE, MIDNIGHT + 3 * HOUR - 1, "hour", 10)
    part = part_of(one, one.steps(), MIDNIGHT, MIDNIGHT + 3 * HOUR)
    assert (utc(MIDNIGHT), utc(MIDNIGHT + 2 * HOUR)) == part.cut


def test_q6_a_page_that_took_too_long_ends_with_what_it_has() -> None:
    """The next page continues after it, even if it has no rows."""
    one = CountsQuery("demo", "games", None, MIDNIGHT, MIDNIGHT + DAY, "hour", 10)
    page = CountsPage(one, 10**9)
    page.close(ends=True)
    assert (None, []) == (page.wanted, list(page.rows))
    assert (MIDNIGHT + HOUR, "", 0, 0) == digest_place(str(page.answer()["nextPageToken"]), one.without_page(), PLACE)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"source": "other"}, "source"),
        ({"source": ""}, "source"),
        ({"step": "year"}, "step"),
        ({"from": "x"}, "from"),
        ({"to": str(MIDNIGHT)}, "to"),
        ({"to": str(MIDNIGHT + 401 * DAY)}, "to"),
        ({"limit": "0"}, "limit"),
        ({"pageToken": "x"}, "pageToken"),
    ],
)
def test_q3_a_parameter_that_is_wrong_is_named(changed: dict[str, str], field: str) -> None:
    """With one sentence."""
    with pytest.raises(BadQuery) as caught:
        counts_query(Asked(query() | changed, "demo"), 1_000, 1_000, 400)
    assert [field] == [violation.field for violation in caught.value.violations]


def test_q3_all_that_is_missing_is_named_at_once() -> None:
    """A client that forgets one often forgets two."""
    with pytest.raises(BadQuery) as caught:
        counts_query(Asked({"step": "x"}, "demo"), 1_000, 1_000, 400)
    assert ["source", "step", "from", "to"] == [violation.field for violation in caught.value.violations]
