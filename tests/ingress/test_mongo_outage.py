"""The ingress's reads of MongoDB, without a server: outages in the log, and reused offsets."""

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import AutoReconnect, OperationFailure
from structlog.testing import capture_logs

from ingress import server
from ingress.config import IngressConfig
from ingress.mongo import MongoStore
from ingress.ports import RecordOutcome, Rejection, Unavailable
from schemas.coordinates import Coordinates
from schemas.documents import CHECKPOINTS, EXCEPTIONS, LINEAGES, utc
from schemas.settings import MongoSettings
from serving.outage import Outage
from tests.ingress.real import config

NOW = 1_790_000_000_000
AT = Coordinates("r1", 3, 100)
NOWHERE = "mongodb://127.0.0.1:1"


def at_once(_: float, callback: Callable[[], None]) -> Callable[[], None]:
    """The return is logged at once, without STEADY_SECONDS."""
    callback()
    return lambda: None


class Collection:
    """Holds documents by their ids, or fails."""

    def __init__(self, *documents: Mapping[str, Any]) -> None:
        self._documents = {document["_id"]: document for document in documents}
        self.error: Exception | None = None

    async def find_one(self, key: Mapping[str, Any], *_: object, **options: Any) -> Mapping[str, Any] | None:  # noqa: ANN401 pymongo's
        if self.error:
            raise self.error
        if "sort" in options:
            return max(self._documents.values(), key=lambda one: int(one["generation"]))
        return self._documents.get(key["_id"])


class Database(dict[str, Collection]):
    """Has every collection."""

    def __missing__(self, name: str) -> Collection:
        self[name] = Collection()
        return self[name]


def reading(store: MongoStore, **collections: Collection) -> Database:
    """Let a store read these instead of a server's."""
    database = Database(collections)
    store._database = database  # type: ignore[assignment]  # stands in for it
    return database


@pytest.fixture
async def stores() -> AsyncIterator[tuple[MongoStore, MongoStore]]:
    """Of one process."""
    outage = Outage("mongodb", later=at_once)
    made = tuple(MongoStore(MongoSettings.model_validate({"uri": NOWHERE}), outage) for _ in range(2))
    yield made[0], made[1]
    for one in made:
        await one.close()


@pytest.mark.parametrize("error", [AutoReconnect("h1:1: connection closed"), OperationFailure("", 18)])
async def test_an_outage_that_calls_meet_with_is_one_line_lost_and_one_back(
    stores: tuple[MongoStore, MongoStore], error: Exception
) -> None:
    """Of both stores of a process. A wrong password is an outage too, which no heartbeat shows."""
    databases = [reading(one) for one in stores]
    with capture_logs() as lines:
        for database in databases:
            database["players"].error = error
        for one in (*stores, *stores):
            with pytest.raises(Unavailable) as caught:
                await one.player_totals("demo/ann")
            assert caught.value.lost
        for database, one in zip(databases, stores, strict=True):
            database["players"].error = None
            assert {} == await one.player_totals("demo/ann")
    assert ["mongodb_lost", "mongodb_back"] == [line["event"] for line in lines]


async def test_a_call_that_alone_is_refused_is_no_outage(stores: tuple[MongoStore, MongoStore]) -> None:
    store, _ = stores
    reading(store)["players"].error = OperationFailure("", 13)
    with capture_logs() as lines, pytest.raises(Unavailable) as caught:
        await store.player_totals("demo/ann")
    assert not caught.value.lost
    assert ["mongodb_not_allowed"] == [line["event"] for line in lines]


async def test_both_apis_of_a_process_have_one_outage_of_mongodb_and_one_of_kafka(tmp_path: Path) -> None:
    """By the names that docs/operations.md has."""
    settings = IngressConfig.model_validate_json(config(tmp_path, "127.0.0.1:1", NOWHERE, "t").read_text())
    process = server._build(settings)
    with capture_logs() as lines:
        for store in (one.store for one in process.connections):
            reading(store)["players"].error = OperationFailure("", 18)
            with pytest.raises(Unavailable):
                await store.player_totals("demo/ann")
            await store.close()
        for publisher in (one.publisher for one in process.connections):
            publisher._outage.lost("all", "as it was told")
    assert ["mongodb_lost", "kafka_lost"] == [line["event"] for line in lines]


@pytest.mark.parametrize(
    ("append_millis", "expected"),
    [
        (NOW, RecordOutcome(passed=True, rejection=Rejection("duplicate", "ALREADY_UPDATED", at_millis=NOW))),
        (None, RecordOutcome(passed=True, rejection=Rejection("duplicate", "ALREADY_UPDATED", at_millis=NOW))),
        (NOW - 1, RecordOutcome(passed=False, may_still_pass=True)),
    ],
)
async def test_what_became_of_another_record_at_the_same_coordinates_is_not_told(
    stores: tuple[MongoStore, MongoStore], append_millis: int | None, expected: RecordOutcome
) -> None:
    """The checkpoint has passed the record that was there before the log was cut, not this one."""
    reading(
        stores[0],
        **{
            CHECKPOINTS: Collection({"_id": str(AT.partition_id), "next": AT.offset + 1, "last": None}),
            EXCEPTIONS: Collection({"_id": str(AT), "fate": "duplicate", "cause": "ALREADY_UPDATED", "at": utc(NOW)}),
            LINEAGES: Collection({"_id": AT.lineage, "topic": "t", "generation": 1}),
        },
    )
    assert expected == await stores[0].outcome(AT, append_millis)
