"""Counts in time zones, filled, of the top events and as totals on real MongoDB, summed again from its documents."""

import random
from collections import Counter
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from console.lookups.mongo import MongoLookups, refusals_filter
from console.mongo import MongoStore
from console.queries.lists import ListQuery
from schemas.coordinates import PartitionId
from schemas.documents import PERIOD_COUNTS, REFUSALS, REQUESTS, millis_of, utc
from schemas.request_ids import LOOKUP_FIELDS, StoredRequest, lookup, packed
from tests.console.rig import DAY, MINUTE, Rig, period_counts

# pytest finds fixtures by name.
from tests.console.test_console_real import Database, database, explained, store  # noqa: F401

# Around the end of summer time in Berlin, over the end of a month: 2026-10-25 has 25 hours.
START = 1_792_620_000_000
SPAN_MINUTES = 20 * 24 * 60


async def held(database: Database) -> list[tuple[int, str, int]]:  # noqa: F811
    """What is counted in three partitions."""
    drawn = random.Random(7)  # noqa: S311 no secret
    counted = [
        (START - START % MINUTE + drawn.randrange(SPAN_MINUTES) * MINUTE, drawn.choice("ABCDE"), drawn.randrange(1, 9))
        for _ in range(900)
    ]
    documents = [one for n in range(3) for one in period_counts(counted[n::3], n).values()]
    await database[PERIOD_COUNTS].insert_many(documents)
    return counted


def local_day(zone: str, step: str, at: int) -> str:
    day = utc(at).astimezone(ZoneInfo(zone)).date()
    return {"day": f"{day}", "week": f"{day:%G-%V}", "month": f"{day:%Y-%m}", "total": ""}[step]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"])
@pytest.mark.parametrize("step", ["day", "week", "month", "total"])
async def test_q11_steps_of_a_zone_are_right_to_the_unit_in_mongodb(
    database: Database,  # noqa: F811
    store: MongoStore,  # noqa: F811
    zone: str,
    step: str,
) -> None:
    """On pages of few rows, by the calendar of each minute."""
    counted = await held(database)
    start, end = START + 90 * MINUTE, START + 18 * DAY + 17 * MINUTE
    expected: Counter[tuple[str, str]] = Counter()
    for at, event, count in counted:
        if start <= at < end:
            expected[local_day(zone, step, at), event] += count
    found: Counter[tuple[str, str]] = Counter()
    async for row in rows(Rig(store), step=step, tz=zone, limit=7, **{"from": start, "to": end}):
        at = millis_of(datetime.fromisoformat(row["at"]))
        assert (local_day(zone, step, at), row["event"]) not in found, "a row is on one page"
        found[local_day(zone, step, at), row["event"]] = row["count"]
    assert expected == found


async def rows(rig: Rig, **asked: object) -> Any:  # noqa: ANN401 an iterator of JSON
    token: str | None = None
    moments = set()
    for _ in range(200):
        answer = await rig.get("/v1/counts", {"source": "games", **asked, "pageToken": token})
        assert 200 == answer.status, answer.body
        moments.add(answer.json["asOf"])
        for row in answer.json["rows"]:
            yield row
        token = answer.json.get("nextPageToken")
        if token is None:
            break
    assert 1 == len(moments), "all pages show one moment"


async def test_q12_top_fill_and_csv_add_up_in_mongodb(database: Database, store: MongoStore) -> None:  # noqa: F811
    """However they are shown, the sums are those of the documents."""
    counted = await held(database)
    rig, asked = Rig(store), {"source": "games", "from": START - DAY, "to": START + 21 * DAY}
    total = sum(count for _, _, count in counted)
    for shape in ({"step": "day", "top": 2}, {"step": "total", "top": 1}, {"step": "week", "fill": "zero", "top": 3}):
        answer = (await rig.get("/v1/counts", asked | shape)).json
        assert total == sum(row["count"] for row in answer["rows"])
        assert ["(other)", *sorted(one["event"] for one in answer["top"])] == sorted(
            {row["event"] for row in answer["rows"]}
        )
    filled = [row async for row in rows(rig, **{**asked, "step": "hour", "fill": "zero", "limit": 999})]
    assert (22 * 24 * 5, total) == (len(filled), sum(row["count"] for row in filled))
    text = (await rig.get("/v1/counts", asked | {"step": "day"}, headers={"accept": "text/csv"})).body.decode()
    assert total == sum(int(line.rpartition(",")[2]) for line in text.splitlines()[1:])


async def test_q15_a_request_is_found_by_reading_one_document(database: Database) -> None:  # noqa: F811
    """By the index on the hashes, however many ids there are."""
    await database[REQUESTS].create_index("keys")
    ids = {f"demo/p{n % 50}/{n}": StoredRequest(START + n, n, n) for n in range(5_000)}
    await database[REQUESTS].insert_many([dict(one) for one in packed(PartitionId("r1", 3), ids)])
    found = await explained(database, {"find": REQUESTS, "filter": lookup(["demo/p7/7"]), "projection": LOOKUP_FIELDS})
    assert ["IXSCAN keys_1"] == [stage for stage in found["stages"] if "SCAN" in stage]
    assert (1, 1) == (found["totalDocsExamined"], found["nReturned"])
    assert 1 == len(await MongoLookups(database, 5_000).requests("demo/p7/7"))


async def test_q14_a_look_for_apps_reads_one_key_of_each_index(database: Database) -> None:  # noqa: F811
    """However many players an app has."""
    await database["players"].insert_many([{"_id": f"a/{n}"} for n in range(500)])
    await database["players"].insert_many([{"_id": f"b/{n}"} for n in range(500)])
    wanted = {"_id": {"$gte": "a0", "$regex": "/"}}
    found = await explained(database, {"find": "players", "filter": wanted, "sort": {"_id": 1}, "limit": 1})
    assert found["totalKeysExamined"] <= 2
    assert ["a", "b"] == [one.app for one in await MongoLookups(database, 5_000).apps(None, 10)]


async def test_q9_no_look_up_has_an_index_of_its_own(database: Database) -> None:  # noqa: F811
    """The sample of refusals is scanned: it has 16 MiB at most."""
    await database[REFUSALS].insert_many([{"app": "demo", "cause": "NOT_FOUND"} for _ in range(100)])
    query = ListQuery("refusals", "demo", 10, {"cause": "NOT_FOUND"})
    found = await explained(
        database, {"find": REFUSALS, "filter": refusals_filter(query), "sort": {"_id": -1}, "limit": 11}
    )
    assert 11 == found["totalDocsExamined"]
