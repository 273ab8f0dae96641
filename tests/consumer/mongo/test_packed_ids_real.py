"""Packed ids in a real MongoDB: what keeps one id of two partitions from counting twice, and what a look-up reads."""

import asyncio

import pytest

from consumer.core.reads import Known, Reads
from consumer.mongo.store import MongoStore, _Transaction
from consumer.mongo.writes import writes_of
from ops.init.command import create_index
from schemas import request_ids
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS, PLAYERS, REQUESTS
from schemas.requirements import indexes
from schemas.settings import KafkaSettings, Limits
from tests.consumer.mongo.conftest import Database
from tests.consumer.mongo.test_store_contract import apply, one
from tests.stored_ids import stored_ids


class Stores:
    """Two workers on one database, in which every collection exists: its creation would be a conflict, too."""

    def __init__(self, database: Database) -> None:
        self.database = database.client[database.name]
        self.stores = [MongoStore(database.client, database.name, lambda _, __: None) for _ in range(2)]

    async def ready(self) -> "Stores":
        for partition in range(3):
            await self.stores[0].claim(PartitionId("r1", partition), "me")
        await apply(self.stores[0], one(0, player="bob"), one(1, request_id=1, player="bob"), partition=2)
        return self

    async def bring_at_once(self, request_id: int) -> list[int]:
        """The same id, from a partition of each. How often it was applied, by partition."""
        flushes = (apply(store, one(0, request_id), partition=p) for p, store in enumerate(self.stores))
        await asyncio.gather(*flushes)
        found = {one["_id"]: one["fates"] async for one in self.database[CHECKPOINTS].find()}
        return [found[f"r1/{partition:02}"]["applied"] for partition in (0, 1)]


def both_read_first(monkeypatch: pytest.MonkeyPatch) -> list[Known]:
    """From now on two transactions each read before either goes on. Returns what each try has read."""
    read, both, tries = _Transaction._read, asyncio.Barrier(2), list[Known]()

    async def read_together(transaction: _Transaction, reads: Reads) -> Known:
        known = await read(transaction, reads)
        tries.append(known)
        if len(tries) <= 2:
            assert {} == known.requests
            await both.wait()
        return known

    monkeypatch.setattr(_Transaction, "_read", read_together)
    return tries


@pytest.mark.parametrize("is_new", [True, False], ids=["new player", "known player"])
async def test_two_transactions_that_have_both_not_found_an_id_do_not_both_commit(
    database: Database, monkeypatch: pytest.MonkeyPatch, *, is_new: bool
) -> None:
    """Whichever writes the player second conflicts. Its next try finds the id."""
    stores = await Stores(database).ready()
    if not is_new:
        await apply(stores.stores[0], one(2, request_id=9), start=2, partition=2)
    tries = both_read_first(monkeypatch)
    assert [0, 1] == sorted(await stores.bring_at_once(7))
    assert len(tries) > 2
    assert ["demo/ann/7"] == [*tries[-1].requests]
    (player,) = await stores.database[PLAYERS].find({"_id": "demo/ann"}).to_list()
    assert {"LEVEL_UP": 2 if is_new else 4} == player["totals"]
    documents = await stores.database[REQUESTS].find().to_list()
    assert 1 == sum(document["ids"].split("\n").count("demo/ann/7") for document in documents)
    assert "demo/ann/7" in stored_ids(documents)


async def test_the_player_is_what_two_partitions_with_one_id_conflict_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof that nothing else is: without that write both transactions commit, and the id has counted twice."""
    stores = await Stores(database).ready()
    monkeypatch.setattr("consumer.mongo.store.writes_of", lambda plan: {**writes_of(plan), PLAYERS: []})
    tries = both_read_first(monkeypatch)
    assert [1, 1] == await stores.bring_at_once(7)
    assert 2 == len(tries)


async def test_a_duplicate_reads_one_document_and_a_new_id_none(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a flush of many documents, by the index that init makes."""
    monkeypatch.setattr(request_ids, "MAX_IDS", 10)
    stores = await Stores(database).ready()
    requests = stores.database[REQUESTS]
    for index in indexes(KafkaSettings(), Limits()):
        if index.collection == REQUESTS:
            await create_index(stores.database, index)
    await apply(stores.stores[0], *(one(n) for n in range(200)))
    assert 20 == await requests.count_documents({"_id": {"$regex": "^r1/00/"}})
    for ids, documents in ((["demo/ann/57"], 1), (["demo/ann/57", "demo/ann/58"], 1), (["demo/ann/201"], 0)):
        explained = await requests.find(request_ids.lookup(ids), request_ids.LOOKUP_FIELDS).explain()
        stats = explained["executionStats"]
        assert (documents, documents) == (stats["totalDocsExamined"], stats["nReturned"])
        assert stats["totalKeysExamined"] <= 2 * len(ids)
        assert "keys_1" in str(explained["queryPlanner"]["winningPlan"])
