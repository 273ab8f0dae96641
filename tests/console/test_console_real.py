"""The console on real MongoDB: the indexes that it uses, its replies, the views, and the process."""

import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from console.config import ConsoleSettings
from console.memory import MemoryStore
from console.mongo import MongoStore, counts_fields, counts_filter, keys_pipeline
from console.queries.counts import part_of
from console.queries.counts_query import CountsQuery, counts_query
from console.queries.events import EventsQuery, Key, KeysPage
from console.queries.parameters import Asked
from schemas.documents import EVENTS, PERIOD_COUNTS, utc
from schemas.requirements import indexes
from schemas.settings import KafkaSettings, Limits, MongoSettings
from serving.http.paging import digest_token
from tests.console import serve
from tests.console.rig import DAY, HOUR, MIDNIGHT, MINUTE, Rig, event, period_counts, read_token
from tests.ingress.real import port_of
from tests.ingress.rig import AUDIENCE, ISSUER, public_keys
from tests.patience import PATIENCE_SECONDS
from tests.real import place
from tests.servers import Servers

Database = AsyncDatabase[dict[str, Any]]


@pytest.fixture
async def database(servers: Servers) -> AsyncIterator[Database]:
    """Two collections with the indexes that `init` gives them."""
    name = f"console-{secrets.token_hex(6)}"
    async with AsyncMongoClient[dict[str, Any]](servers.mongodb, tz_aware=True) as client:
        for index in indexes(KafkaSettings(), Limits()):
            if index.collection == EVENTS:
                await client[name][EVENTS].create_index(index.key, name=index.name, expireAfterSeconds=10**9)
        yield client[name]
        await client.drop_database(name)


@pytest.fixture
async def store(servers: Servers, database: Database) -> AsyncIterator[MongoStore]:
    one = MongoStore(MongoSettings(uri=SecretStr(servers.mongodb), database=database.name), ConsoleSettings())
    yield one
    await one.close()


def stages(plan: Mapping[str, Any]) -> list[str]:
    """The stages of an executed plan from the top, in all its branches."""
    below = [plan["inputStage"]] if "inputStage" in plan else plan.get("inputStages", [])
    index = f" {plan['indexName']}" if "indexName" in plan else ""
    return [plan["stage"] + index, *(stage for one in below for stage in stages(one))]


async def explained(database: Database, command: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = await database.command("explain", command, verbosity="executionStats")
    found = found["stages"][0]["$cursor"] if "stages" in found else found
    return {"stages": stages(found["executionStats"]["executionStages"]), **found["executionStats"]}


async def test_q9_counts_are_read_of_the_id_index_and_no_key_too_many(database: Database) -> None:
    """Only this app's documents of the hours in the range, however many documents other apps have."""
    counted = [(MIDNIGHT + n * HOUR, f"E{n % 3}", 1) for n in range(48)]
    for app in ("a", "demo", "demo2", "z"):
        for partition in range(2):
            await database[PERIOD_COUNTS].insert_many(period_counts(counted, partition, app).values())
    query = CountsQuery("demo", "games", None, MIDNIGHT, MIDNIGHT + DAY, "hour", 10)
    part = part_of(query, query.steps(), MIDNIGHT, MIDNIGHT + DAY)
    command = {"find": PERIOD_COUNTS, "filter": counts_filter(part), "projection": counts_fields(part)}
    found = await explained(database, command)
    assert {"IXSCAN _id_"} == {stage for stage in found["stages"] if "SCAN" in stage}
    assert 48 == found["nReturned"] == found["totalDocsExamined"]
    # Each range examines one key after its end.
    assert found["totalKeysExamined"] <= 48 + len(part.ids)


async def test_q9_events_by_time_end_the_scan_of_the_ttl_index_and_by_actor_read_theirs(database: Database) -> None:
    """If there is only one app, a page of ten events reads ten documents, however many there are, and sorts nothing."""
    await database[EVENTS].insert_many([event(f"{n:04}", MIDNIGHT + n, f"p{n % 20}") for n in range(400)])

    async def read(**of: Any) -> dict[str, Any]:  # noqa: ANN401 fields of a query
        query = EventsQuery(**{"app": "demo", "player": None, "event": None, "from_millis": 0, "to_millis": None} | of)
        wanted = KeysPage(query).wanted
        assert wanted
        return await explained(database, {"aggregate": EVENTS, "pipeline": keys_pipeline(wanted), "cursor": {}})

    by_time = await read(limit=9, to_millis=MIDNIGHT + DAY)
    assert "IXSCAN receivedAt_1" in by_time["stages"]
    assert not [stage for stage in by_time["stages"] if "SORT" in stage]
    assert 10 == by_time["totalDocsExamined"]
    within = await read(limit=9, to_millis=MIDNIGHT + DAY, after=Key(MIDNIGHT + 300, "demo/p3/x"))
    assert 1 == within["totalDocsExamined"]
    by_player = await read(limit=9, player="p3", from_millis=None)
    assert "IXSCAN _id_" in by_player["stages"]
    assert 20 == by_player["totalDocsExamined"]


HOSTILE = {
    "ref": {"$ref": "players", "$id": 7, "$db": "x"},
    "$where": "1",
    "a.b": [{"": None}, [], {}],
    "_id": {"_id": 1},
    "big": 2**63 - 1,
    "small": -(2**63),
    "beyond": 2**53 + 1,
    "float": 0.1,
    "nul": "a\0b",
    "é": True,
}


async def test_q8_data_comes_back_as_it_was_sent(database: Database, store: MongoStore) -> None:
    """Read as raw BSON: pymongo would turn `{"$ref", "$id"}` into a reference. Keys keep their order."""
    document = event("a", MIDNIGHT, data=[HOSTILE, {"z": 1, "a": 2}], media={"$ref": "x", "$id": "y"})
    await database[EVENTS].insert_one(document)
    answer = await Rig(store).get("/v1/events", {"actor": "ann"})
    (found,) = answer.json["events"]
    assert [HOSTILE, {"z": 1, "a": 2}] == found["data"]
    assert [list(HOSTILE), ["z", "a"]] == [list(one) for one in found["data"]]
    assert ({"$ref": "x", "$id": "y"}, "demo/ann/a") == (found["media"], found["id"])
    assert b"9223372036854775807" in answer.body


async def test_q6_q7_both_stores_answer_alike(database: Database, store: MongoStore) -> None:
    """So what tests show of the store in memory is true of MongoDB: every page of every kind of query is the same."""
    memory = MemoryStore()
    counted = [(MIDNIGHT + n * 7 * MINUTE, ("A", "A/B", "é")[n % 3], n + 1) for n in range(60)]
    for partition in range(3):
        memory.counts |= period_counts(counted, partition)
    documents = [event(f"{n * 7 % 60:02}", MIDNIGHT + n // 9, "ann" if n % 2 else "~bob") for n in range(60)]
    memory.stored |= {document["_id"]: document for document in documents}
    await database[PERIOD_COUNTS].insert_many(dict(one) for one in memory.counts.values())
    await database[EVENTS].insert_many(documents)
    start, end = str(MIDNIGHT + 3 * MINUTE), str(MIDNIGHT + 6 * HOUR)
    counts = [{"source": "games", "from": start, "to": end, "step": step} for step in ("minute", "hour", "day")]
    counts.append(counts[0] | {"event": "A"})
    events = [{"from": str(MIDNIGHT), "to": end}, {"actor": "~bob"}, {"actor": "ann", "from": str(MIDNIGHT + 2)}]
    for path, queries in (("/v1/counts", counts), ("/v1/events", events)):
        for query in queries:
            expected = await pages(Rig(memory), path, query)
            assert len(expected) > 1 or query.get("step") == "day"
            assert expected == await pages(Rig(store), path, query)


async def test_q6_pages_of_counts_show_one_moment_while_workers_write(database: Database, store: MongoStore) -> None:
    """For a moment that MongoDB no longer keeps, or that is in the future, a page shows a newer one."""
    before = period_counts([(MIDNIGHT + n * HOUR, "A", 1) for n in range(4)])
    await database[PERIOD_COUNTS].insert_many(before.values())
    query = {"source": "games", "from": str(MIDNIGHT), "to": str(MIDNIGHT + DAY), "limit": "2"}
    first = (await Rig(store).get("/v1/counts", query)).json
    await database[PERIOD_COUNTS].update_many({}, {"$inc": {"count": 9}})
    await database[PERIOD_COUNTS].insert_many(period_counts([(MIDNIGHT + 2 * HOUR, "B", 1)]).values())
    second = (await Rig(store).get("/v1/counts", query | {"pageToken": first["nextPageToken"]})).json
    assert [1, 1, 1, 1] == [row["count"] for page in (first, second) for row in page["rows"]]
    assert first["asOf"] == second["asOf"]
    named = counts_query(Asked(query, "demo"), 1_000, 1_000, 400).without_page()
    for seconds in (1_000_000_000, 2**32 - 1):
        made_up = digest_token((MIDNIGHT + HOUR, "A", seconds, 1), named)
        newer = (await Rig(store).get("/v1/counts", query | {"pageToken": made_up})).json
        assert [("A", 10), ("B", 1)] == [(row["event"], row["count"]) for row in newer["rows"]]
        assert newer["asOf"] >= first["asOf"]


async def pages(rig: Rig, path: str, query: Mapping[str, object]) -> list[Any]:
    """The pages without `asOf` and tokens, which differ between stores."""
    answers: list[Any] = []
    token = ""
    while not answers or token:
        page = (await rig.get(path, {**query, "limit": 7, "pageToken": token})).json
        token = page.pop("nextPageToken", "")
        assert ("asOf" in page) == (path == "/v1/counts")
        answers.append({name: value for name, value in page.items() if name != "asOf"})
    return answers


async def test_q9_a_query_that_takes_too_long_is_ended_by_mongodb(
    servers: Servers, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only by the console: otherwise MongoDB would continue a query whose client is gone."""
    await database[PERIOD_COUNTS].insert_one({"_id": "x"})
    monkeypatch.setattr("console.mongo.counts_filter", lambda _part: {"$where": "sleep(3600000) || true"})
    mongodb = MongoSettings(uri=SecretStr(servers.mongodb), database=database.name)
    hasty = MongoStore(mongodb, ConsoleSettings(query_timeout_seconds=0.2))
    query = {"source": "games", "from": MIDNIGHT, "to": MIDNIGHT + DAY}
    assert 504 == (await Rig(hasty).get("/v1/counts", query)).status
    await hasty.close()


async def test_the_views_sum_partitions_by_hour_and_by_day(servers: Servers) -> None:
    """`init` makes the views of docs/views.md from the documents that workers write."""
    async with place(servers, partitions=1) as there:
        for partition, count in ((0, 1), (1, 10)):
            counted = [(MIDNIGHT + hour * HOUR, "A", count) for hour in (0, 0, 23, 24)]
            await there.database[PERIOD_COUNTS].insert_many(period_counts(counted, partition).values())
        views = {name: await rows(there.database, name) for name in ("event_hours", "event_days")}
        fast = there.database[PERIOD_COUNTS].aggregate(
            [
                {"$match": {"_id": {"$gte": "2026-11-23T00", "$lt": "2026-11-24T00"}, "app": "demo"}},
                {"$group": {"_id": "$event", "count": {"$sum": "$count"}}},
            ]
        )
        day = await (await fast).to_list()
    hour = timedelta(hours=1)
    midnight = utc(MIDNIGHT)
    assert {midnight: 22, midnight + 23 * hour: 11, midnight + 24 * hour: 11} == views["event_hours"]
    assert {midnight: 33, midnight + 24 * hour: 11} == views["event_days"]
    assert [{"_id": "A", "count": 33}] == day


async def rows(database: Database, view: str) -> dict[Any, int]:
    found = await database[view].find({"app": "demo", "source": "games", "event": "A"}).to_list()
    assert all({"at", "app", "source", "event", "count"} == row.keys() for row in found)
    return {row["at"]: row["count"] for row in found}


@contextmanager
def console_process(file: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """A console process that listens. It is killed at the end if it still runs."""
    log = file.with_suffix(".log")
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, serve.__file__, str(file)], stderr=output, text=True)
    try:
        yield f"http://127.0.0.1:{port_of(process, log)}", process
    finally:
        process.kill()
        process.wait()


async def test_the_process_answers_and_stops_in_order(servers: Servers, database: Database, tmp_path: Path) -> None:
    """It is ready with keys and MongoDB. A second process on its port fails with a message. SIGTERM ends it with 0."""
    await database[PERIOD_COUNTS].insert_many(period_counts([(MIDNIGHT, "A", 3)]).values())
    config = process_config(tmp_path, servers.mongodb, database.name)
    (tmp_path / "first.json").write_text(json.dumps(config))
    with console_process(tmp_path / "first.json") as (url, process):
        async with aiohttp.ClientSession(headers={"authorization": f"Bearer {read_token()}"}) as session:
            give_up = time.monotonic() + PATIENCE_SECONDS
            while await missing(session, url):
                assert time.monotonic() < give_up
            query = f"source=games&step=day&from={MIDNIGHT}&to={MIDNIGHT + DAY}"
            async with session.get(f"{url}/v1/counts?{query}") as response:
                assert [3] == [row["count"] for row in (await response.json())["rows"]]
            async with session.head(f"{url}/livez") as response:
                assert (200, b"") == (response.status, await response.read())
        config["console"]["port"] = int(url.rpartition(":")[2])
        (tmp_path / "second.json").write_text(json.dumps(config))
        with pytest.raises(AssertionError, match="port_not_taken"), console_process(tmp_path / "second.json"):
            pass
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(PATIENCE_SECONDS)


@pytest.mark.real  # a process of its own, and seconds
async def test_q10_mongodb_unavailable_at_the_start_is_503_in_bounded_time(tmp_path: Path) -> None:
    """The process keeps running, and /readyz names what is missing."""
    config = process_config(tmp_path, "mongodb://127.0.0.1:1", "nothing")
    (tmp_path / "away.json").write_text(json.dumps(config))
    with console_process(tmp_path / "away.json") as (url, process):
        async with aiohttp.ClientSession(headers={"authorization": f"Bearer {read_token()}"}) as session:
            give_up = time.monotonic() + PATIENCE_SECONDS
            while (await missing(session, url)) != ["mongodb"]:
                assert time.monotonic() < give_up
            async with session.get(f"{url}/v1/events?actor=ann") as response:
                assert (503, "1") == (response.status, response.headers["retry-after"])
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(PATIENCE_SECONDS)


def process_config(folder: Path, mongodb: str, database: str) -> dict[str, Any]:
    keys = folder / "jwks.json"
    keys.write_text(json.dumps(public_keys().as_dict(private=False)))
    return {
        "mongodb": {"uri": mongodb, "database": database},
        "tokens": {"issuer": ISSUER, "audience": AUDIENCE, "jwks": str(keys), "jwks_refresh_seconds": 300},
        "console": {"port": 0, "drain_seconds": 0},
    }


async def missing(session: aiohttp.ClientSession, url: str) -> list[str]:
    async with session.get(f"{url}/readyz") as response:
        found: list[str] = (await response.json())["missing"]
        return found
