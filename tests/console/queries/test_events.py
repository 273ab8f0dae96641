"""GET /v1/events: the order of events, their pages, and their JSON (Q7, Q8)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.queries.events import Key, event_json, events_query, plain
from console.queries.parameters import Asked
from schemas.documents import EPOCH, millis_of
from serving.http.query import BadQuery
from tests.console.rig import MIDNIGHT, Rig, event

RANGE: dict[str, object] = {"from": MIDNIGHT, "to": MIDNIGHT + 4}

# Few milliseconds, so that many events share one, as the items of a pool do.
keys = st.tuples(st.integers(0, 3), st.integers(0, 10**6).map(lambda n: f"{n:06x}"), st.sampled_from(("ann", "bob")))
stored = st.lists(keys, max_size=25, unique_by=lambda key: key[1:])


def held(found: list[tuple[int, str, str]]) -> Rig:
    rig = Rig()
    documents = [event(identity, MIDNIGHT + at, actor) for at, identity, actor in found]
    rig.store.stored = {document["_id"]: document for document in documents}
    return rig


def newest_first(rig: Rig, actor: str | None = None) -> list[str]:
    found = [d for d in rig.store.stored.values() if actor in (None, d["actor"])]
    return [key.id for key in sorted((Key(millis_of(d["receivedAt"]), d["_id"]) for d in found), reverse=True)]


async def walk(rig: Rig, limit: int, actor: str | None, between: Any = None) -> list[str]:  # noqa: ANN401 called
    """The ids on all pages, in order. `between` is called after each page."""
    ids: list[str] = []
    asked, token = 0, None
    while asked == 0 or token:
        asked += 1
        assert asked < 100
        query = {"actor": actor} if actor else RANGE
        answer = await rig.get("/v1/events", {**query, "app": "demo", "limit": limit, "pageToken": token})
        assert 200 == answer.status, answer.body
        assert len(answer.json["events"]) <= limit
        ids += [one["id"] for one in answer.json["events"]]
        token = answer.json.get("nextPageToken")
        if between:
            between(asked)
    return ids


@settings(deadline=None)
@given(stored, st.integers(1, 6), st.sampled_from((None, "ann")))
async def test_q7_the_pages_hold_every_event_exactly_once_newest_first(
    found: list[tuple[int, str, str]], limit: int, actor: str | None
) -> None:
    """By actor and by time, however many events share a millisecond."""
    rig = held(found)
    assert newest_first(rig, actor) == await walk(rig, limit, actor)


@settings(deadline=None)
@given(stored, st.integers(1, 6), st.sampled_from((None, "ann")))
async def test_q7_a_walk_is_not_disturbed_by_what_comes_in(
    found: list[tuple[int, str, str]], limit: int, actor: str | None
) -> None:
    """Later events belong before the pages that remain, so every event of the start is returned exactly once."""
    rig = held(found)
    first = newest_first(rig, actor)

    def comes(asked: int) -> None:
        document = event(f"new{asked:04}", MIDNIGHT + 4 + asked)
        rig.store.stored[document["_id"]] = document

    ids = await walk(rig, limit, actor, comes)
    assert first == [one for one in ids if "new" not in one]
    assert len(set(ids)) == len(ids)


async def test_q7_by_time_it_is_when_it_was_received_that_counts() -> None:
    """A client's clock may be wrong by years."""
    rig = held([(0, "a", "ann"), (5, "b", "ann")])
    rig.store.stored["demo/ann/a"] = event("a", MIDNIGHT, at=datetime(2106, 1, 1, tzinfo=UTC))
    assert ["demo/ann/a"] == await walk(rig, 10, None)


async def test_q7_one_title_may_be_asked_for() -> None:
    """By actor and by time."""
    rig = held([(0, "a", "ann"), (1, "b", "bob")])
    rig.store.stored["demo/ann/c"] = event("c", MIDNIGHT, title="Ended")
    for query in ({"actor": "ann"}, RANGE):
        answer = await rig.get("/v1/events", {**query, "event": "Ended"})
        assert ["demo/ann/c"] == [one["id"] for one in answer.json["events"]]


async def test_q9_a_page_ends_where_it_grows_too_large() -> None:
    """It has at least one event. An event that was removed meanwhile does not end the walk."""
    rig = Rig(max_page_bytes=65_536)
    for number in range(6):
        document = event(f"{number}", MIDNIGHT + number % 4, data={"text": "x" * 40_000})
        rig.store.stored[document["_id"]] = document
    expected = newest_first(rig)
    assert expected == await walk(rig, 100, None)
    first = await rig.get("/v1/events", RANGE)
    assert 1 == len(first.json["events"])


async def test_q9_a_page_is_read_in_the_indexs_own_order_three_times_at_most() -> None:
    """Otherwise MongoDB would sort the events of a week for a page of ten."""
    rig = held([(n % 3, f"{n:02}", "ann") for n in range(30)])
    first = await rig.get("/v1/events", RANGE | {"limit": 12})
    rig.store.keys_wanted.clear()
    await rig.get("/v1/events", RANGE | {"limit": 12, "pageToken": first.json["nextPageToken"]})
    exact = [(one.exact, (one.to_millis or 0) - (one.from_millis or 0)) for one in rig.store.keys_wanted]
    assert [(True, 1), (False, 1), (True, 1)] == exact


def test_q8_a_document_is_written_as_it_is() -> None:
    """With any keys in its data. Integers beyond 2^53 are numbers."""
    data = {"_id": 1, "$where": "x", "a.b": [{"": None}], "n": 2**63 - 1, "ref": {"$ref": "a", "$id": 1}}
    document = event("a", MIDNIGHT, data=data)
    written = event_json(document)
    assert ("demo/ann/a", data) == (written["id"], written["data"])
    assert ("2026-11-22T23:59:59.995Z", "2026-11-23T00:00:00.000Z") == (written["at"], written["receivedAt"])
    assert "_id" not in written
    assert "1970-01-01T00:00:00.000Z" == plain(EPOCH)


@pytest.mark.parametrize(
    ("given_", "field"),
    [
        ({}, "actor"),
        ({"from": "0"}, "actor"),
        ({"actor": "a/b"}, "actor"),
        ({"actor": "ann", "from": "5", "to": "5"}, "to"),
        ({"actor": "ann", "limit": "0"}, "limit"),
        ({"actor": "ann", "pageToken": "x"}, "pageToken"),
        ({"from": "0", "to": str(401 * 86_400_000)}, "to"),
    ],
)
def test_q3_a_parameter_that_is_wrong_is_named(given_: dict[str, str], field: str) -> None:
    """The query needs an actor, or both ends of a range."""
    with pytest.raises(BadQuery) as caught:
        events_query(Asked(given_, "demo"), 1_000, 400)
    assert [field] == [violation.field for violation in caught.value.violations]
