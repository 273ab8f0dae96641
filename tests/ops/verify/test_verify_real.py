"""`verify` on real servers, over what a real worker made of a mixed load."""

import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from consumer.core.records import Record
from ops.definitions.changes import changes
from ops.verify import command
from schemas.coordinates import PartitionId
from schemas.documents import EXCEPTIONS, PERIOD_COUNTS, PLAYERS, REQUESTS, utc
from schemas.request_ids import lookup, packed, unpacked
from tests.consumer.processes import workers
from tests.declared import stand_since
from tests.ops.definitions.test_command import file_of
from tests.ops.running import Output, applied, raw, told, until, use
from tests.real import Place, place, produce, settings_of
from tests.samples import HOUR, MINUTE, batch, period, sealed, update
from tests.servers import Servers


def sent(request_id: int, count: int = 1, player: str = "ann") -> Record:
    body = batch(period(update(count=str(count))), request_id=str(request_id))
    return sealed(0, body, request_id=request_id, player=player)


def raw_batch(request_id: int) -> bytes:
    start = time.time_ns() // 1_000_000 - HOUR
    return batch(period(update("A"), update("NOBODYS"), start=start, end=start + MINUTE), request_id=str(request_id))


async def abort(where: Place, partition: int) -> None:
    topic, servers = where.settings.kafka.records_topic, where.settings.kafka.bootstrap_servers
    async with AIOKafkaProducer(bootstrap_servers=servers, transactional_id=topic) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, sent(99).value, key=b"demo/ann", partition=partition)
        await producer.abort_transaction()


async def load(where: Place) -> None:
    """Sealed, raw, repeated (in both partitions, one with another payload), garbage, gaps. 8 records each."""
    await stand_since(where.database, changes(file_of("A"), {}, utc(time.time_ns() // 1_000_000 - HOUR)))
    await produce(where.settings, 0, sent(1), sent(2, 5), sent(1), raw(b"\xff\x00"))
    await abort(where, 0)
    await produce(where.settings, 0, raw(raw_batch(3)), raw(raw_batch(3)), sent(4, player="bob"), sent(5))
    await produce(where.settings, 1, sent(2, 7), sent(6, 2), raw(batch(period(update("NOBODYS"))), None))
    await abort(where, 1)
    await produce(
        where.settings, 1, raw(batch(period(update("X")), request_id="9")), sent(5), sent(1), sent(7), sent(8)
    )


@asynccontextmanager
async def counted(servers: Servers, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """The load, applied by a worker process."""
    async with place(servers) as where:
        use(where.settings, folder, monkeypatch)
        await load(where)
        with workers(folder, where.settings) as started:
            started.start()
            await until(where, applied(r1_00=8, r1_01=8))
        yield where


async def test_a_mixed_load_has_no_difference_and_what_is_changed_by_one_is_named(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """A player's total, a minute, an hour's count, a requestId, an exception: each is found, and nothing else."""
    async with counted(servers, tmp_path, monkeypatch) as where:
        db = where.database

        async def verified(expected: int) -> Any:  # noqa: ANN401 a report
            return await told(capsys, expected, command.verify(as_json=True))

        found = await verified(0)
        assert (0, True) == (found["differences"], found["whole"])
        assert [("r1/00", 0, 8), ("r1/01", 0, 8), ("r2/00", 0, 0), ("r2/01", 0, 0)] == [
            (one["partition"], one["first"], one["records"]) for one in found["ranges"]
        ]
        assert all(one["next"] > one["records"] for one in found["ranges"][:2]), "what was aborted left gaps"
        fates = {fate: sum(one["fates"][fate] for one in found["ranges"]) for fate in found["ranges"][0]["fates"]}
        assert {"applied": 8, "duplicate": 5, "refused": 1, "dead": 2} == fates

        async def first(what: str, collection: str, key: object, change: Any, back: Any) -> Any:  # noqa: ANN401
            await db[collection].update_one({"_id": key}, change)
            report = await verified(1)
            assert (1, what) == (report["differences"], report["first"]["what"])
            await db[collection].update_one({"_id": key}, back)
            return report["first"]

        total = (await where.documents(PLAYERS))["demo/bob"]["totals"]["LEVEL_UP"]
        named = await first(
            "players", PLAYERS, "demo/bob", {"$inc": {"totals.LEVEL_UP": 1}}, {"$inc": {"totals.LEVEL_UP": -1}}
        )
        assert ("demo/bob, LEVEL_UP", str(total), str(total + 1)) == (named["where"], named["expected"], named["found"])
        hour = next(key for key in await where.documents(PERIOD_COUNTS) if key.endswith("/A/r1/00"))
        (minute,) = (await where.documents(PERIOD_COUNTS))[hour]["minutes"]
        more = {"$inc": {f"minutes.{minute}": 1, "count": 1}}
        less = {"$inc": {f"minutes.{minute}": -1, "count": -1}}
        named = await first("period_counts", PERIOD_COUNTS, hour, more, less)
        assert named["where"].startswith("demo, A, ")
        assert named["where"].endswith(f":{minute}Z in r1/00")
        await first("period_counts", PERIOD_COUNTS, hour, {"$inc": {"count": 1}}, {"$inc": {"count": -1}})
        remembered = await db[REQUESTS].find_one(lookup(["demo/ann/6"]))
        assert remembered
        without = {key: stored for key, stored in unpacked(remembered) if key != "demo/ann/6"}
        await db[REQUESTS].delete_one({"_id": remembered["_id"]})
        for document in packed(PartitionId("r1", int(remembered["_id"].split("/")[1])), without):
            await db[REQUESTS].insert_one(dict(document))
        report = await verified(1)
        assert (1, "requests", "demo/ann/6") == (
            report["differences"],
            report["first"]["what"],
            report["first"]["where"],
        )
        for document in packed(PartitionId("r1", int(remembered["_id"].split("/")[1])), without):
            await db[REQUESTS].delete_one({"_id": document["_id"]})
        await db[REQUESTS].insert_one(remembered)
        duplicate = await db[EXCEPTIONS].find_one_and_delete({"_id": "r1/00/2"})
        assert duplicate, "the repeat in its own partition can only have been a duplicate"
        report = await verified(1)
        assert ("requestId", "demo/ann/1") == (report["first"]["what"], report["first"]["where"])
        await db[EXCEPTIONS].insert_one(duplicate)
        await verified(0)


async def test_where_retention_has_removed_records_what_is_left_is_verified(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """The report says so. Totals must not be below the rest, and each remaining record has its fate."""
    async with counted(servers, tmp_path, monkeypatch) as where:
        admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
        await admin.start()
        gone = TopicPartition(where.settings.kafka.records_topic, 0)
        await admin.delete_records({gone: RecordsToDelete(before_offset=7)})
        await admin.close()
        found = await told(capsys, 0, command.verify(as_json=True))
        assert (False, 7, 0) == (found["whole"], found["ranges"][0]["first"], found["ranges"][1]["first"])
        await where.database[PLAYERS].update_one({"_id": "demo/bob"}, {"$set": {"totals.LEVEL_UP": 0}})
        found = await told(capsys, 1, command.verify(as_json=True))
        assert ("demo/bob, LEVEL_UP", "at least 1", "0") == (
            found["first"]["where"],
            found["first"]["expected"],
            found["first"]["found"],
        )


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # pymongo's, of a try that close() cuts off
async def test_servers_that_are_away_are_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    """1 is kept for a difference."""
    monkeypatch.setattr("ops.connect.ANSWER_MILLIS", 200)
    use(settings_of(Servers("127.0.0.1:1", "mongodb://127.0.0.1:1")), tmp_path, monkeypatch)
    assert "MongoDB" in await told(capsys, 2, command.verify(as_json=True))
    gc.collect()  # while the warning is expected
