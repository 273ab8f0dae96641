"""What `load`, `doctor` and `verify` find in packed ids, on a real MongoDB."""

import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from ops.connect import database
from ops.doctor.costs import StoredRequests, stored_requests
from ops.load.check import CLOCKS_DIFFER, Database, stored_batches
from ops.verify.sources import requests_of
from schemas import request_ids
from schemas.coordinates import PartitionId
from schemas.documents import REQUESTS, utc
from schemas.request_ids import StoredRequest, packed
from tests.real import settings_of
from tests.samples import NOW
from tests.servers import Servers


@pytest.fixture
async def db(servers: Servers) -> AsyncIterator[Database]:
    settings = settings_of(servers)
    named = {"mongodb": settings.mongodb.model_copy(update={"database": f"test-{secrets.token_hex(6)}"})}
    async with database(settings.model_copy(update=named)) as db:
        yield db
        await db.client.drop_database(db.name)


async def store(db: Database, partition: int, requests: dict[str, StoredRequest]) -> None:
    for document in packed(PartitionId("r1", partition), requests):
        await db[REQUESTS].insert_one(dict(document))


async def test_the_ids_of_an_app_are_counted_and_no_others(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever they are in a document; and those of before a load only where they are asked for."""
    assert 0 == await stored_batches(db, "demo", None)
    monkeypatch.setattr(request_ids, "MAX_IDS", 3)
    mine = ("demo/ann/1", "demo/ann/2", "demo/demo/3", "demo/bob/4")
    others = ("demo2/ann/1", "a-demo/ann/1", "x/demo/1", "x/ann-demo/1")
    keys = [key for pair in zip(mine, others, strict=True) for key in pair]
    await store(db, 0, {key: StoredRequest(NOW, 0, n) for n, key in enumerate(keys)})
    long_ago = NOW - 2 * int(CLOCKS_DIFFER.total_seconds() * 1000)
    await store(db, 1, {"demo/cid/9": StoredRequest(long_ago, 0, 0)})
    assert len(mine) + 1 == await stored_batches(db, "demo", None)
    assert len(mine) == await stored_batches(db, "demo", utc(NOW) + timedelta(minutes=1))


async def test_the_doctor_counts_ids_not_documents(db: Database) -> None:
    """And has nothing to count before `init`."""
    assert StoredRequests(0, 0) == await stored_requests(db)
    for partition in range(4):
        await store(db, partition, {f"demo/ann/{n}": StoredRequest(NOW, 0, n) for n in range(25)})
    found = await stored_requests(db)
    assert 100 == found.ids
    assert found.disk_bytes > 0


async def test_verify_finds_where_an_id_has_counted_last(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two documents that hold it the one with the later time, and never another id of the same hash."""
    monkeypatch.setattr(request_ids, "hash_of", lambda _: 7)
    await store(db, 0, {"demo/ann/1": StoredRequest(NOW + 5, 0, 4), "demo/ann/2": StoredRequest(NOW, 0, 5)})
    await store(db, 1, {"demo/ann/1": StoredRequest(NOW, 0, 9)})
    found = await requests_of(db, ["demo/ann/1", "demo/ann/3"])
    assert {"demo/ann/1": {"from": "r1/00/4", "at": utc(NOW + 5)}} == found
