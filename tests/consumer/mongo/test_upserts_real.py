"""Upserts as one command, on a real MongoDB: they leave what the client's bulk leaves, and fail as it fails."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo import MongoClient, UpdateOne
from pymongo.errors import BulkWriteError

from consumer.core.plan import PlayerIncrement
from consumer.mongo import upserts
from consumer.mongo.upserts import upsert
from consumer.mongo.writes import Upserts, _players
from schemas.documents import utc
from tests.consumer.mongo.conftest import Database
from tests.servers import Servers

pytestmark = pytest.mark.real

MAX_INT64 = 2**63 - 1

Players = Mapping[str, tuple[Mapping[str, int], datetime]]

counts = st.dictionaries(st.sampled_from(["LEVEL_UP", "a-b", "0", "_"]), st.integers(1, 2**40), min_size=1)
times = st.integers(0, 253_402_300_799_999).map(utc)
flushes = st.lists(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
        st.tuples(counts, times),
        min_size=1,
        max_size=8,
    ),
    max_size=4,
)


def statements(players: Players) -> Upserts:
    return _players({actor: PlayerIncrement(totals, at) for actor, (totals, at) in players.items()})


@settings(max_examples=30, deadline=None)
@given(made=flushes)
def test_the_command_leaves_the_documents_that_the_bulk_leaves(servers: Servers, made: Sequence[Players]) -> None:
    """Byte for byte, so each number with its type. `sent` is what upsert() sends."""
    with MongoClient[dict[str, Any]](servers.mongodb) as client:
        database = client["test-upserts"]
        try:
            for players in made:
                sent = statements(players)
                database.command({"update": "command", "ordered": False, "updates": sent})
                bulk = [UpdateOne(one["q"], one["u"], upsert=one["upsert"]) for one in sent]
                database["bulk"].bulk_write(bulk, ordered=False)
            by_command, by_bulk = (
                [*database[name].find_raw_batches(sort=[("_id", 1)])] for name in ("command", "bulk")
            )
            assert by_command == by_bulk
        finally:
            client.drop_database(database)


async def test_all_are_written_in_commands_of_some(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upserts, "MAX_STATEMENTS", 3)
    collection = database.client[database.name]["players"]
    async with database.client.start_session() as session:
        await upsert(collection, statements({f"demo/{n}": ({"A": n + 1}, utc(n)) for n in range(10)}), session)
        await upsert(collection, Upserts(), session)
    assert {f"demo/{n}": n + 1 for n in range(10)} == {
        one["_id"]: one["totals"]["A"] async for one in collection.find()
    }


async def test_a_document_that_the_server_refuses_is_the_error_of_a_bulk(database: Database) -> None:
    collection = database.client[database.name]["players"]
    overflowing = statements({"demo/ann": ({"A": MAX_INT64}, utc(0)), "demo/bob": ({"A": 1}, utc(0))})
    async with database.client.start_session() as session:
        await upsert(collection, overflowing, session)
        with pytest.raises(BulkWriteError) as raised:
            await upsert(collection, overflowing, session)
        bulk = [UpdateOne(one["q"], one["u"], upsert=True) for one in overflowing]
        with pytest.raises(BulkWriteError) as of_bulk:
            await collection.bulk_write(bulk, ordered=False, session=session)
    found, expected = (error.value.details["writeErrors"] for error in (raised, of_bulk))
    assert [(one["index"], one["code"]) for one in found] == [(one["index"], one["code"]) for one in expected]
    assert (raised.value.code, str(raised.value)[:30]) == (of_bulk.value.code, str(of_bulk.value)[:30])
