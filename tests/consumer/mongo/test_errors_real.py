"""What a real MongoDB refuses, and how it fails: a faulty record affects only itself, and an outage loses nothing.

The failures come from a separate mongod with test commands enabled: its failCommand answers the given error.
"""

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bson import Int64
from pymongo import AsyncMongoClient, MongoClient

from consumer.core.plan import WritePlan
from consumer.core.reads import Reads
from consumer.ports import Plan
from ops.local.servers.fetch import mongod_file
from ops.local.servers.mongod import MongodPlace, mongod_program
from ops.local.servers.ports import any_free
from ops.local.servers.processes import Children, Program
from ops.local.servers.stack import wait_for_mongod
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS, DEAD_LETTERS, EXCEPTIONS, PLAYERS, REQUESTS
from schemas.request_ids import StoredRequest, packed
from tests.consumer.mongo.places import APP_NAME, MongoPlace, at_work, mongo_place
from tests.consumer.parts import eventually
from tests.consumer.sums import EVENT, assert_exact, counting, mixed, now_millis, until_applied
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def mongodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A mongod that fails on demand."""
    folder = tmp_path_factory.mktemp("failing")
    where = MongodPlace(folder / "mongodb", any_free())
    where.home.mkdir()
    program = mongod_program(mongod_file(), where)
    with Children(folder / "logs") as children:
        command = (*program.command, "--setParameter", "enableTestCommands=1")
        child = children.start(Program(program.name, command))
        wait_for_mongod(where.address, child, None)
        yield where.uri


@asynccontextmanager
async def failing(
    made: MongoPlace, command: str, mode: object = "alwaysOn", **how: object
) -> AsyncIterator[Mapping[str, Any]]:
    """Within this block the workers' `command` fails: so many times, or always."""
    client: AsyncMongoClient[dict[str, Any]] = made.place.database.client
    data = {"failCommands": [command], "appName": APP_NAME, **how}
    answer = await client.admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})
    try:
        yield answer
    finally:
        await client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


async def times_failed(made: MongoPlace) -> int:
    """How often the fail point has been met since the server started."""
    answer = await made.place.database.client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    return int(answer["count"])


@asynccontextmanager
async def lifetime(made: MongoPlace, seconds: int) -> AsyncIterator[None]:
    """Within this block the server ends every transaction that takes longer."""
    client: AsyncMongoClient[dict[str, Any]] = made.place.database.client
    name = "transactionLifetimeLimitSeconds"
    before = await client.admin.command({"getParameter": 1, name: 1})
    await client.admin.command({"setParameter": 1, name: seconds})
    try:
        yield
    finally:
        await client.admin.command({"setParameter": 1, name: before[name]})


async def test_g13_a_total_that_would_overflow_costs_that_record_alone(mongodb: str) -> None:
    """G13: a dead letter with this reason; the same player's smaller counts, and everybody else's, stand."""
    async with mongo_place(mongodb) as made:
        room = 5
        players = made.place.database[PLAYERS]
        await players.insert_one({"_id": "demo/ann", "totals": {EVENT: Int64(2**63 - 1 - room)}})
        made.append(counting(0, number, player="bob") for number in range(10, 30))
        made.append(counting(0, 30 + count, count=count) for count in (2, 10, 1))
        made.append(counting(0, number, player="bob") for number in range(50, 70))
        async with at_work(made):
            await until_applied(made.place, 43)
        totals = {key: player["totals"][EVENT] for key, player in (await made.place.documents(PLAYERS)).items()}
        assert totals == {"demo/ann": 2**63 - 1 - room + 3, "demo/bob": 40}
        (letter,) = (await made.place.documents(DEAD_LETTERS)).values()
        assert letter["_id"] == "r1/00/21"
        assert "such as a sum beyond int64 (code 2)" in letter["reason"]
        (checkpoint,) = (await made.place.documents(CHECKPOINTS)).values()
        assert checkpoint["fates"] == {"applied": 42, "duplicate": 0, "refused": 0, "dead": 1}


async def test_what_a_validator_refuses_costs_those_records_alone(mongodb: str) -> None:
    """Code 121, a rule that a user has added to `players`."""
    async with mongo_place(mongodb) as made:
        database = made.place.database
        await database.create_collection(PLAYERS, validator={"_id": {"$ne": "demo/eve"}})
        made.append(counting(0, number, player="eve" if number in (15, 29) else "ann") for number in range(10, 30))
        async with at_work(made):
            await until_applied(made.place, 20)
        assert {key: player["totals"] for key, player in (await made.place.documents(PLAYERS)).items()} == {
            "demo/ann": {EVENT: 18}
        }
        letters = await made.place.documents(DEAD_LETTERS)
        assert list(letters) == ["r1/00/5", "r1/00/19"]
        assert all("validation (code 121)" in letter["reason"] for letter in letters.values())


@pytest.mark.parametrize("command", ["find", "update", "insert", "commitTransaction"])
@pytest.mark.parametrize(
    "how",
    [
        {"errorCode": 11602},
        {"errorCode": 189},
        {"errorCode": 251},
        {"errorCode": 251, "errorLabels": []},
        {"errorCode": 189, "errorLabels": []},
        {"errorCode": 14031},
        {"errorCode": 8000},
        {"closeConnection": True},
    ],
    ids=lambda how: "-".join(f"{value}" for value in how.values()),
)
async def test_a_burst_of_outages_costs_nothing(mongodb: str, command: str, how: dict[str, object]) -> None:
    """A failover, with labels or without; a full disk; an unknown code; a broken connection."""
    # Flushes so small that three refusals would have made dead letters of their records.
    async with mongo_place(mongodb, max_dead_ratio=1, max_flush_records=2) as made:
        sent = mixed(0, 10, rounds=3)
        async with failing(made, command, {"times": 3}, **how), at_work(made):
            made.append(sent)
            await until_applied(made.place, len(sent))
        await assert_exact(made.place, sent)


@pytest.mark.parametrize("code", [2, 121, 10334])
@pytest.mark.parametrize("command", ["find", "update", "commitTransaction"])
async def test_a_code_of_records_is_none_where_no_record_is_written(mongodb: str, command: str, code: int) -> None:
    """A read, the checkpoint's move (the first update) and the commit hold nothing of a client's."""
    async with mongo_place(mongodb, max_dead_ratio=1) as made:
        sent = [counting(0, 10)]
        async with failing(made, command, {"times": 1}, errorCode=code, errorLabels=[]), at_work(made):
            made.append(sent)
            await until_applied(made.place, len(sent))
        await assert_exact(made.place, sent)
        assert await made.place.documents(DEAD_LETTERS) == {}


async def test_a_commit_that_a_shutdown_interrupted_costs_nothing(mongodb: str) -> None:
    """Code 11600: the client considers the server lost, and checks again after ten seconds."""
    async with mongo_place(mongodb, max_dead_ratio=1) as made:
        sent = mixed(0, 10, rounds=3)
        async with failing(made, "commitTransaction", {"times": 1}, errorCode=11600), at_work(made):
            made.append(sent)
            await until_applied(made.place, len(sent))
        await assert_exact(made.place, sent)


@pytest.mark.parametrize("code", [96, 50, 11601, 1, 13, 8000])
async def test_a_failed_commit_is_never_taken_for_success(mongodb: str, code: int) -> None:
    """OperationFailed, MaxTimeMSExpired, Interrupted and others. No record follows whose checkpoint would show it.

    The test checks at the moment when the worker reports the record as applied, so a false report fails at once.
    """
    async with mongo_place(mongodb, max_dead_ratio=1) as made:
        sent = [counting(0, 10, count=3)]
        async with failing(made, "commitTransaction", {"times": 1}, errorCode=code) as told, at_work(made):
            made.append(sent)
            await eventually(lambda: made.sample("tallymill_worker_records_total", api="games", fate="applied") == 1)
            await assert_exact(made.place, sent)
        assert await times_failed(made) == told["count"] + 1, "the commit failed, and was tried again"


@pytest.mark.parametrize("code", [64, 91, 100])
async def test_a_commit_that_stands_in_spite_of_its_error_counts_once(mongodb: str, code: int) -> None:
    """A write concern error: the server has committed. The retry finds that the checkpoint has moved."""
    async with mongo_place(mongodb, max_dead_ratio=1) as made:
        sent = [counting(0, 10, count=3)]
        failure = {"writeConcernError": {"code": code, "errmsg": "as told"}}
        async with failing(made, "commitTransaction", {"times": 1}, **failure), at_work(made):
            made.append(sent)
            await until_applied(made.place, len(sent))
            made.append(more := [counting(0, 11)])
            await until_applied(made.place, len(sent) + len(more))
        await assert_exact(made.place, sent + more)


@pytest.mark.parametrize("code", [388, 257, 290])
async def test_a_flush_too_large_is_halved(mongodb: str, code: int) -> None:
    """Until its parts fit; nothing of it is lost."""
    async with mongo_place(mongodb) as made:
        sent = [counting(0, number) for number in range(10, 50)]
        made.append(sent)
        async with failing(made, "insert", {"times": 3}, errorCode=code, errorLabels=[]), at_work(made):
            await until_applied(made.place, len(sent))
        await assert_exact(made.place, sent)
        assert made.sample("tallymill_worker_flushes_failed_total", api="games", cause="too_large") == 3


async def test_a_flush_that_outlives_transactions_is_halved(mongodb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends its transaction, and answers as after a lost race: tried whole, it would be so for ever."""
    # As in production less than what the server allows, so that whatever has outlived it has taken long.
    monkeypatch.setattr("consumer.mongo.store.LONG_TRY_SECONDS", 0.9)
    records_in_flush = 0

    def slow(step: str, _: float) -> None:
        if step == "checkpoint":
            time.sleep(records_in_flush * 0.1)

    async with mongo_place(mongodb, on_step=slow) as made:
        apply = made.parts.store.apply

        async def applying(reads: Reads, plan: Plan) -> WritePlan:
            nonlocal records_in_flush
            records_in_flush = reads.size.records
            return await apply(reads, plan)

        monkeypatch.setattr(made.parts.store, "apply", applying)
        sent = [counting(0, number) for number in range(10, 50)]
        made.append(sent)
        async with lifetime(made, 1), at_work(made):
            await until_applied(made.place, len(sent), seconds=2 * PATIENCE_SECONDS)
        await assert_exact(made.place, sent)
        assert (made.sample("tallymill_worker_flushes_failed_total", api="games", cause="too_large") or 0) > 0


async def test_one_record_too_large_stops_its_partition_and_no_other(mongodb: str) -> None:
    """The record is no dead letter: it could be counted, if the server were given more."""
    async with mongo_place(mongodb, partitions=2) as made:
        made.append([counting(0, 10), counting(0, 11)])
        async with at_work(made) as worker:
            async with failing(made, "insert", errorCode=257, errorLabels=[]):
                await eventually(
                    lambda: made.sample("tallymill_worker_partition_stopped", api="games", partition="0") == 1
                )
            made.append([counting(1, 20)])
            await until_applied(made.place, 1)
            assert worker.alive()
        assert "offset 0 alone is too large for a transaction" in await made.stopped(0)
        assert await made.place.documents(DEAD_LETTERS) == {}


async def test_an_id_that_another_partition_counts_after_the_read_is_a_duplicate(mongodb: str) -> None:
    """The ids are read in the flush's own snapshot. Their player was written since: the next try finds the id."""
    database = ""
    others = packed(PartitionId("r1", 1), {"demo/ann/12": StoredRequest(now_millis(), 0, 0)})

    def other_partition(step: str, _: float) -> None:
        if step == "read" and others:
            increment = {"$inc": {f"totals.{EVENT}": 1}}
            client = MongoClient[dict[str, Any]](mongodb)
            with client, client.start_session() as session, session.start_transaction():
                client[database][REQUESTS].insert_one(dict(others.pop()), session=session)
                client[database][PLAYERS].update_one({"_id": "demo/ann"}, increment, upsert=True, session=session)

    async with mongo_place(mongodb, on_step=other_partition) as made:
        database = made.place.database.name
        made.append(counting(0, number) for number in range(10, 20))
        async with at_work(made):
            await until_applied(made.place, 10)
        (checkpoint,) = (await made.place.documents(CHECKPOINTS)).values()
        assert checkpoint["fates"] == {"applied": 9, "duplicate": 1, "refused": 0, "dead": 0}
        assert (await made.place.documents(PLAYERS))["demo/ann"]["totals"] == {EVENT: 9 + 1}


async def test_a_document_in_the_way_stops_its_partition_and_no_other(mongodb: str) -> None:
    """E11000: a bug or two lineages under one name. Nothing of the flush is written, nothing is set aside."""
    async with mongo_place(mongodb, partitions=2) as made:
        await made.place.database[EXCEPTIONS].insert_one({"_id": "r1/00/2", "fate": "whose?"})
        made.append([counting(0, 10), counting(0, 11), counting(0, 10)])
        async with at_work(made) as worker:
            await eventually(lambda: made.sample("tallymill_worker_partition_stopped", api="games", partition="0") == 1)
            sent = [counting(1, number) for number in range(20, 40)]
            made.append(sent)
            await until_applied(made.place, len(sent))
            assert worker.alive()
        assert "(code 11000)" in await made.stopped(0)
        assert "exceptions, r1/00/2" in await made.stopped(0)
        assert await made.stopped(1) == ""
        assert made.sample("tallymill_worker_partition_stopped", api="games", partition="1") in (None, 0)
        checkpoints = await made.place.documents(CHECKPOINTS)
        assert [checkpoints[key]["next"] for key in ("r1/00", "r1/01")] == [0, 20]
        assert {key: player["totals"] for key, player in (await made.place.documents(PLAYERS)).items()} == {
            "demo/ann": {EVENT: 20}
        }
