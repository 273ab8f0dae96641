"""Documents that another program wrote: each is left out by itself, and none ends the ingress."""

import secrets
from collections.abc import Mapping
from typing import Any

import pytest
from pymongo import MongoClient
from structlog.testing import capture_logs

from ingress import mongo
from ingress.mongo import MongoStore
from ingress.ports import AppChange, Rejection
from schemas.coordinates import Coordinates, PartitionId
from schemas.documents import CHECKPOINTS, DEFINITIONS, EXCEPTIONS, PLAYERS, utc
from schemas.settings import MongoSettings
from serving.seldom import Seldom
from tests.samples import NOW
from tests.servers import Servers

DOCUMENTS: Mapping[str, tuple[dict[str, Any], ...]] = {
    CHECKPOINTS: (
        {"_id": "r1/00", "next": 7},
        {"_id": "r1/last", "next": 7},
        {"_id": "r1/01"},
        {"_id": "r1/02", "next": None},
        {"_id": "r1/03", "next": "x"},
        {"_id": "r1/04", "next": 9},
    ),
    PLAYERS: ({"_id": "demo/ann", "totals": {"A": 1}}, {"_id": "demo/bob"}),
    EXCEPTIONS: (
        {"_id": "r1/00/1", "fate": "dead", "cause": "x"},
        {"_id": "r1/00/2"},
        {"_id": "r1/00/3", "fate": "dead", "at": "x"},
        {"_id": "r1/00/4", "fate": "dead", "differing": 7},
    ),
    DEFINITIONS: (
        {"_id": "demo/A", "app": "demo", "updatedAt": utc(NOW)},
        {"_id": "demo/B", "app": {"a": 1}, "updatedAt": utc(NOW)},
        {"_id": "demo/C", "app": ["demo"], "updatedAt": utc(NOW)},
        {"_id": 7, "updatedAt": utc(NOW)},
    ),
}


async def test_what_can_be_read_beside_a_damaged_document_is_read(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watches of checkpoints and definitions would end otherwise, and the process with them, at each start."""
    monkeypatch.setattr(mongo, "_unreadable", Seldom())
    settings = MongoSettings.model_validate({"uri": servers.mongodb, "database": f"test-{secrets.token_hex(6)}"})
    store = MongoStore(settings)
    with MongoClient[dict[str, Any]](servers.mongodb) as client, capture_logs() as lines:
        for collection, documents in DOCUMENTS.items():
            client[settings.database][collection].insert_many([dict(one) for one in documents])
        assert {PartitionId("r1", 0): 7, PartitionId("r1", 4): 9} == await store.checkpoints({"r1"})
        assert {"demo/ann": {"A": 1}} == await store.totals({"demo/ann", "demo/bob"})
        places = [Coordinates("r1", 0, offset) for offset in (1, 2, 3, 4)]
        assert {places[0]: Rejection("dead", "x")} == await store.rejections(places)
        assert AppChange(NOW, 1) == (await store.changed_apps(0))["demo"]
        assert {} == await store.all_definitions(1), "the last one may be any"
        client.drop_database(settings.database)
    await store.close()
    said = {(one["document"], one["reason"]) for one in lines if one["event"] == "document_not_readable"}
    named = (("r1/01", "next"), ("demo/bob", "totals"), ("r1/00/2", "fate"))
    assert {(document, f"field '{field}' is missing") for document, field in named} <= said
