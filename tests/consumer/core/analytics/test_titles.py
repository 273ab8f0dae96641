"""The shares of titles: players, each player, anonymous actors; promoted and freed titles."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.analytics.plan import reads_of
from consumer.core.backlog import Backlog
from consumer.core.decode import decode_analytics
from consumer.core.records import Record
from consumer.memory import MemoryStore
from schemas.coordinates import PartitionId
from schemas.documents import EVENTS, TITLES, TitleDocument, utc
from schemas.settings import Limits
from tests.consumer.core.analytics.test_new_items import counts
from tests.consumer.flushes import apply_flush
from tests.samples import KEYS, MINUTE, NOW, item, pool, sealed_pool

LIMITS = Limits(max_titles=3, max_titles_per_player=2, max_anonymous_titles=1)


def sent(offset: int, player: str, *titles: str, time: int = NOW) -> Record:
    items = (item(title, n=f"{offset}.{i}") for i, title in enumerate(titles))
    return sealed_pool(offset, pool(*items), player=player, time_millis=time)


async def flushed(store: MemoryStore, *records: Record, limits: Limits = LIMITS) -> None:
    """One flush of partition 0."""
    partition = PartitionId("r1", 0)
    start = (await store.claim(partition, "test")).next_offset
    backlog = Backlog(10_000, 10**9, KEYS, decode_analytics)
    backlog.offer(records)
    backlog.decode_some(10_000)
    flush = backlog.take(partition, start)
    assert flush
    await apply_flush(store, flush, limits, "analytics")


def applied(*records: Record, cuts: Sequence[int] = (), limits: Limits = LIMITS) -> dict[str, Any]:
    """The documents after flushes that end at these places, and at the end."""

    async def run() -> dict[str, Any]:
        store, begin = MemoryStore(), 0
        for end in [*sorted(cuts), len(records)]:
            if begin < end:
                await flushed(store, *records[begin:end], limits=limits)
            begin = max(begin, end)
        return store.collections

    return asyncio.run(run())


def registry(documents: dict[str, Any]) -> dict[str, Any]:
    """By title, without their keys."""
    found = documents[TITLES].items()
    return {key: {name: value for name, value in one.items() if name != "_id"} for key, one in found}


def test_anonymous_actors_leave_the_titles_of_players_alone() -> None:
    """However many titles a stranger sends, under however many names."""
    junk = [sent(n, f"~{n}", *(f"junk {n}.{i}" for i in range(50))) for n in range(20)]
    documents = applied(*junk, sent(20, "ann", "View"), limits=Limits())
    assert 1 == counts(documents)["View"]
    assert {"count": 1, "anonymous": 100} == registry(documents)["demo"]
    assert 900 == counts(documents)["(other)"]
    assert "junk 19.49" in {event["event"] for event in documents[EVENTS].values()}, "a document keeps its own"


def test_one_player_leaves_titles_to_the_others() -> None:
    """In one request or in many."""
    junk = [sent(n, "ann", *(f"junk {n}.{i}" for i in range(600))) for n in range(3)]
    for cuts in ((), (1, 2)):
        documents = applied(*junk, sent(3, "bob", "View"), cuts=cuts, limits=Limits())
        assert 1 == counts(documents)["View"]
        assert {"count": 101, "anonymous": 0} == registry(documents)["demo"]


def test_an_apps_own_limits_are_its_shares() -> None:
    """As for every limit of a request."""
    limits = Limits(max_anonymous_titles=0, max_titles=1)
    documents = applied(sent(0, "~x", "A"), sent(1, "ann", "A", "B"), limits=limits)
    assert {"A": 1, "(other)": 2} == counts(documents)


def test_a_title_that_a_player_sends_becomes_the_players() -> None:
    """So that the anonymous share has room again; its first appearance stays."""
    documents = applied(sent(0, "~x", "A"), sent(1, "ann", "A"), sent(2, "~y", "B"))
    assert {
        "demo/A": {"from": "r1/00/0", "by": "demo/ann", "promoted": "r1/00/1"},
        "demo/B": {"from": "r1/00/2", "by": "demo/~y"},
        "demo": {"count": 1, "anonymous": 1},
    } == registry(documents)
    assert {"A": 2, "B": 1} == counts(documents)


def test_a_title_stays_anonymous_where_the_player_has_all_that_he_may() -> None:
    """It still counts by its name."""
    documents = applied(sent(0, "ann", "B", "C"), sent(1, "~x", "A"), sent(2, "ann", "A"))
    assert {"A": 2, "B": 1, "C": 1} == counts(documents)
    assert {"from": "r1/00/1", "by": "demo/~x"} == registry(documents)["demo/A"]
    assert {"count": 2, "anonymous": 1} == registry(documents)["demo"]


FREED = {"_id": "demo/A", "from": "r1/00/0", "by": "demo/bob", "promoted": "r1/00/1", "freed": utc(NOW + MINUTE)}


async def after_freeing(*records: Record, **more: Any) -> dict[str, Any]:  # noqa: ANN401 fields of a document
    store = MemoryStore()
    store.collections[TITLES] = {"demo/A": {**FREED, **more}, "demo": {"_id": "demo", "count": 0}}
    await flushed(store, *records)
    return store.collections


async def test_a_freed_title_counts_by_its_name_until_then_and_is_registered_anew_after_it() -> None:
    """The record's time decides. The earlier registration is kept for a recount."""
    early, late = sent(0, "ann", "A", time=NOW + MINUTE - 1), sent(1, "ann", "A", time=NOW + MINUTE)
    assert FREED == (await after_freeing(early))[TITLES]["demo/A"]
    found = registry(await after_freeing(early, late))
    earlier = {name: value for name, value in FREED.items() if name != "_id"}
    assert {"from": "r1/00/1", "by": "demo/ann", "earlier": [earlier]} == found["demo/A"]
    assert {"count": 1, "anonymous": 0} == found["demo"]


async def test_a_freed_title_past_the_shares_counts_as_other() -> None:
    """Like any other new title. A title from before there were shares belongs to no player."""
    late = sent(0, "ann", "B", "C", "A", time=NOW + MINUTE)
    documents = await after_freeing(late)
    assert {"B": 1, "C": 1, "(other)": 1} == counts(documents)
    again = sent(0, "ann", "A", time=NOW + MINUTE)
    store = MemoryStore()
    store.collections[TITLES] = {"demo/A": {"_id": "demo/A", "from": "r1/00/0", "freed": utc(NOW)}}
    await flushed(store, again)
    assert [{"from": "r1/00/0", "freed": utc(NOW)}] == registry(store.collections)["demo/A"]["earlier"]


async def test_a_title_that_is_being_freed_is_not_promoted() -> None:
    """It has left its share already."""
    before = await after_freeing(sent(0, "ann", "A"), by="demo/~x")
    assert "demo/~x" == before[TITLES]["demo/A"]["by"]
    assert {"count": 0} == registry(before)["demo"]


@pytest.mark.parametrize(
    ("document", "asked"),
    [
        (None, {"demo/ann"}),
        ({"from": "x", "by": "demo/~x"}, {"demo/ann"}),
        ({"from": "x", "by": "demo/bob", "freed": utc(0)}, {"demo/ann"}),
        ({"from": "x", "by": "demo/bob"}, set()),
        ({"from": "x"}, set()),
    ],
)
def test_how_many_titles_a_player_has_is_asked_where_one_may_be_registered(
    document: TitleDocument | None, asked: set[str]
) -> None:
    """Which is seldom, and never of an anonymous actor."""
    backlog = Backlog(10, 10**9, KEYS, decode_analytics)
    backlog.offer([sent(0, "ann", "A"), sent(1, "~x", "A"), sent(2, "bob", "B")])
    backlog.decode_some(10)
    flush = backlog.take(PartitionId("r1", 0), 0)
    assert flush
    titles = reads_of(flush).titles
    assert ["demo/A", "demo/B", "demo"] == titles.keys
    documents: dict[str, Any] = {"demo/B": {"_id": "demo/B", "from": "x"}}
    if document:
        documents["demo/A"] = document
    assert asked == titles.actors(documents)


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """Players and anonymous actors with more titles than there is room for."""
    sending = st.tuples(st.sampled_from(["ann", "bob", "~x", "~y"]), st.lists(st.sampled_from("ABCDEF"), max_size=4))
    drawn = draw(st.lists(sending, min_size=1, max_size=8))
    return [sent(offset, player, *titles) for offset, (player, titles) in enumerate(drawn)]


@given(logs(), st.lists(st.integers(0, 8), max_size=4))
def test_any_split_into_flushes_leaves_the_same_registry(records: list[Record], cuts: list[int]) -> None:
    """The shares are kept, and their numbers are those of the documents."""
    whole = applied(*records)
    assert whole == applied(*records, cuts=[min(cut, len(records)) for cut in cuts])
    found = registry(whole)
    numbers = found.pop("demo", {"count": 0, "anonymous": 0})
    owners = [one["by"].removeprefix("demo/") for one in found.values()]
    anonymous = sum(owner.startswith("~") for owner in owners)
    assert {"count": len(owners) - anonymous, "anonymous": anonymous} == numbers
    assert numbers["count"] <= LIMITS.max_titles
    assert anonymous <= LIMITS.max_anonymous_titles
    assert all(owners.count(player) <= LIMITS.max_titles_per_player for player in ("ann", "bob"))
