"""`GET /v1/requests/{requestId}`: what the ingress finds in packed ids, on a real MongoDB."""

import secrets

import pytest
from pymongo import MongoClient

from ingress.mongo import MongoStore
from schemas import request_ids
from schemas.coordinates import PartitionId
from schemas.documents import REQUESTS
from schemas.request_ids import StoredRequest, packed
from schemas.settings import MongoSettings
from tests.samples import NOW
from tests.servers import Servers


async def test_a_player_finds_its_own_request_and_when_it_counted_last(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among ids of the same hash, and in the later of two documents."""
    monkeypatch.setattr(request_ids, "hash_of", lambda _: 7)
    settings = MongoSettings.model_validate({"uri": servers.mongodb, "database": f"test-{secrets.token_hex(6)}"})
    store = MongoStore(settings)
    with MongoClient[dict[str, object]](servers.mongodb) as client:
        requests = client[settings.database][REQUESTS]
        for time_millis in (NOW + 5, NOW):
            ids = {"demo/ann/1": StoredRequest(time_millis, 0, 4), "demo/bob/2": StoredRequest(time_millis, 0, 5)}
            for document in packed(PartitionId("r1", time_millis - NOW), ids):
                requests.insert_one(dict(document))
        assert NOW + 5 == await store.counted_at_millis("demo", "ann", 1)
        assert None is await store.counted_at_millis("demo", "ann", 2)
        assert None is await store.earlier_request()
        requests.insert_one({"_id": "demo/ann/1", "crc": 0})
        assert {"_id": "demo/ann/1"} == await store.earlier_request()
        client.drop_database(settings.database)
    await store.close()
