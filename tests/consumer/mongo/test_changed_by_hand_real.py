"""Documents that an operator has changed or removed: no record is at fault, and no process ends.

What needs such a document waits until it is restored. The log says which one it is.
"""

import asyncio
from typing import Any

import pytest
from bson import Binary, Int64
from structlog.testing import capture_logs

from consumer.core.backlog import Backlog
from consumer.core.decode import decode_analytics
from consumer.core.flush import Flush
from consumer.core.records import Record
from consumer.mongo.store import MongoStore
from consumer.ports import Unavailable
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS, DEAD_LETTERS, EVENTS, REQUESTS, TITLES, title_key
from tests.consumer.flushes import apply_flush
from tests.consumer.mongo.conftest import Database
from tests.consumer.mongo.places import MongoPlace, at_work, mongo_place
from tests.consumer.sums import assert_exact, counting, until_applied
from tests.patience import PATIENCE_SECONDS
from tests.samples import KEYS, item, pool, sealed_pool
from tests.servers import Servers

pytestmark = pytest.mark.real

OURS = "r1/00"
FIRST = [counting(partition, number) for number in range(10, 20) for partition in (0, 1)]
THEN = [counting(partition, number) for number in range(20, 30) for partition in (0, 1)]


async def until_delayed(logs: list[Any], words: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not any(one["event"] == "call_delayed" and words in one["reason"] for one in logs):  # noqa: ASYNC110 a log
            await asyncio.sleep(0.05)


async def until_next(made: MongoPlace, partition: str, offset: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await made.place.documents(CHECKPOINTS)).get(partition, {}).get("next") != offset:  # noqa: ASYNC110 a server
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"$set": {"next": "10"}}, "Expected `int`, got `str` - at `$.next`"),
        ({"$set": {"next": 10.5}}, "Expected `int`, got `float` - at `$.next`"),
        ({"$set": {"next": Int64(-1)}}, "Expected `int` >= 0 - at `$.next`"),
        ({"$unset": {"next": ""}}, "Object missing required field `next`"),
        ({"$unset": {"last": ""}}, "Object missing required field `last`"),
        ({"$set": {"last": {"offset": 9}}}, "Object missing required field"),
    ],
)
async def test_a_checkpoint_that_was_changed_holds_up_its_partition_alone(
    servers: Servers, change: dict[str, Any], words: str
) -> None:
    """Whoever takes the partition over would end otherwise, one worker after the other."""
    async with mongo_place(servers.mongodb, partitions=2) as made:
        stored = made.place.database[CHECKPOINTS]
        made.append(FIRST)
        async with at_work(made):
            await until_applied(made.place, len(FIRST))
        right = await stored.find_one({"_id": OURS})
        assert right
        await stored.update_one({"_id": OURS}, change)
        with capture_logs() as logs:
            made.append(THEN)
            async with at_work(made) as worker:
                await until_delayed(logs, words)
                await until_next(made, "r1/01", 20)
                assert worker.alive()
                assert ["partitions"] == [one.what for one in worker.missing()]
                await stored.replace_one({"_id": OURS}, right)
                await until_applied(made.place, len(FIRST) + len(THEN))
        (told,) = (one for one in logs if one["event"] == "call_delayed")
        assert "document r1/00 of checkpoints is not as tallymill writes it" in told["reason"]
        await assert_exact(made.place, FIRST + THEN)


async def test_a_checkpoint_that_was_removed_holds_up_its_partition_alone(servers: Servers) -> None:
    """Its worker waits for it, and does not read the partition again and again from the beginning."""
    async with mongo_place(servers.mongodb, partitions=2) as made:
        stored = made.place.database[CHECKPOINTS]
        made.append(FIRST)
        with capture_logs() as logs:
            async with at_work(made) as worker:
                await until_applied(made.place, len(FIRST))
                right = await stored.find_one_and_delete({"_id": OURS})
                assert right
                made.append(THEN)
                await until_delayed(logs, "checkpoint r1/00 has been removed")
                await until_next(made, "r1/01", 20)
                assert worker.alive()
                await stored.insert_one(right)
                await until_applied(made.place, len(FIRST) + len(THEN))
        assert not [one for one in logs if one["event"] == "partition_overtaken"]
        await assert_exact(made.place, FIRST + THEN)


async def test_ids_that_were_changed_delay_their_duplicates(servers: Servers) -> None:
    async with mongo_place(servers.mongodb, partitions=2) as made:
        stored = made.place.database[REQUESTS]
        ours, duplicates = [one for one in FIRST if one.partition == 0], FIRST[:1]
        made.append(FIRST)
        async with at_work(made):
            await until_applied(made.place, len(FIRST))
        damaged = await stored.update_many({}, [{"$set": {"saved": "$times", "times": Binary(b"")}}])
        assert damaged.modified_count
        with capture_logs() as logs:
            made.append(duplicates)
            async with at_work(made):
                await until_delayed(logs, "of requests is not as tallymill writes it")
                await stored.update_many({}, [{"$set": {"times": "$saved"}}, {"$unset": "saved"}])
                await until_next(made, OURS, len(ours) + 1)
        assert not await made.place.documents(DEAD_LETTERS)
        await assert_exact(made.place, [*FIRST, *duplicates])


@pytest.mark.parametrize(
    ("collection", "identity", "change"),
    [
        (TITLES, title_key("demo", "Start"), {"freed": "2026-11-29T00:00:00Z"}),
        (TITLES, title_key("demo", "Start"), {"by": 5}),
        (TITLES, "demo", {"count": "many"}),
        (EVENTS, {"$exists": True}, {"receivedAt": "yesterday"}),
    ],
)
async def test_what_was_changed_of_events_and_titles_makes_no_dead_letter(
    database: Database, collection: str, identity: object, change: dict[str, object]
) -> None:
    """The plan would fail for each record that needs the document, as if the record were at fault."""
    stored = database.client[database.name]
    store = MongoStore(database.client, database.name, lambda step, seconds: None)  # noqa: ARG005 the names are OnStep's
    await store.claim(PartitionId("r1", 0), "me")
    await apply_flush(store, flush_of(sealed_pool(0, pool(item("Start")))), api="analytics")
    assert (await stored[collection].update_one({"_id": identity}, {"$set": change})).modified_count
    again = flush_of(sealed_pool(1, pool(item("Start"))))
    with pytest.raises(Unavailable, match=f"a document of {collection} is not as tallymill writes it") as told:
        await apply_flush(store, again, api="analytics")
    assert not told.value.lost
    assert not await stored[DEAD_LETTERS].count_documents({})


def flush_of(record: Record) -> Flush:
    backlog = Backlog(10_000, 10**9, KEYS, decode_analytics)
    backlog.offer([record])
    backlog.decode_some(10_000)
    flush = backlog.take(PartitionId("r1", 0), record.offset)
    assert flush
    return flush
