"""What the doctor checks, with scripted servers."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from consumer.core.unread import PartitionProgress
from ops.config import Settings
from ops.connect import NotReachable
from ops.doctor import command, unread
from ops.doctor.command import Check, examine
from schemas.requirements import indexes, topic_config
from schemas.topic_risks import TopicShape, new_topic_config
from serving.kafka.topic import TopicConfig

SETTINGS = Settings.model_validate({"kafka": {"bootstrap_servers": "a:1"}})
GOOD = topic_config(SETTINGS.kafka, SETTINGS.limits) | new_topic_config(SETTINGS.kafka)
SHAPE = TopicShape(SETTINGS.kafka.partitions, 3, 3)


async def test_losses_are_told_before_all_else_and_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("_losses", "_kafka", "_mongodb", "_workers")
    for name in names:

        async def looked(_settings: Settings, name: str = name) -> list[Check]:
            return [Check(name, "ok", "")]

        monkeypatch.setattr(command, name, looked)
    assert list(names) == [check.what for check in await examine(SETTINGS)]


class Admin:
    """Of a broker that has one of the topics."""

    async def list_topics(self) -> Sequence[str]:
        return [SETTINGS.kafka.records_topic]


@pytest.mark.parametrize(
    ("changed", "shape", "state", "words"),
    [
        ({}, SHAPE, "ok", "at most"),
        ({"retention.ms": "3600000"}, SHAPE, "wrong", "retention.ms is 3600000, must be"),
        ({"retention.bytes": "1000000"}, SHAPE, "wrong", "retention.bytes is 1000000, must be -1"),
        ({"min.insync.replicas": "1"}, SHAPE, "warning", "min.insync.replicas is 1 of 3 replicas"),
        ({"unclean.leader.election.enable": "true"}, SHAPE, "warning", "unclean.leader.election.enable is true"),
        ({}, TopicShape(1, 3, 3), "wrong", "1 partitions, kafka.partitions is"),
    ],
)
async def test_a_topic_is_judged_by_its_settings_and_its_shape(
    monkeypatch: pytest.MonkeyPatch, changed: Mapping[str, str], shape: TopicShape, state: str, words: str
) -> None:
    """And one that is missing is wrong."""

    @asynccontextmanager
    async def admin(_settings: Settings) -> AsyncIterator[Admin]:
        yield Admin()

    async def config(_admin: Admin, _topic: str) -> TopicConfig:
        return TopicConfig({**GOOD, **changed}, frozenset())

    async def found(_admin: Admin, _topic: str) -> TopicShape:
        return shape

    monkeypatch.setattr(command, "kafka_admin", admin)
    monkeypatch.setattr(command, "topic_config", config)
    monkeypatch.setattr(command, "topic_shape", found)
    reached, *ours, missing = await command._kafka(SETTINGS)
    assert "ok" == reached.state
    assert [state] == [check.state for check in ours if words in check.detail]
    assert ("wrong", "missing: run `tallymill init`") == (missing.state, missing.detail)


class Collection:
    """Empty, with the indexes that are wanted."""

    def __init__(self, name: str) -> None:
        wanted = [one for one in indexes(SETTINGS.kafka, SETTINGS.limits) if one.collection == name]
        self._indexes = {one.name: {"expireAfterSeconds": one.expire_seconds} for one in wanted}

    async def index_information(self) -> Mapping[str, Any]:
        return self._indexes

    async def find_one(self, *_: object, **__: object) -> None: ...


class Database(dict[str, Collection]):
    """A database of a server whose clock is off by so many seconds."""

    def __init__(self, off_seconds: float) -> None:
        self._off = timedelta(seconds=off_seconds)
        self.client = self.admin = self

    def __missing__(self, name: str) -> Collection:
        return Collection(name)

    async def command(self, *_: object) -> dict[str, Any]:
        return {"setName": "rs0", "hosts": ["a:1"], "localTime": datetime.now(UTC) + self._off}

    async def list_collections(self, **_: object) -> "Database":
        return self

    async def list_collection_names(self) -> list[str]:
        return []


@pytest.mark.parametrize(("off_seconds", "state"), [(0, "ok"), (-600, "warning"), (600, "warning")])
async def test_clocks_and_indexes_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, off_seconds: float, state: str
) -> None:
    """An index that is missing is wrong."""
    database = Database(off_seconds)

    @asynccontextmanager
    async def connected(_settings: Settings) -> AsyncIterator[Database]:
        yield database

    async def no_options(_db: Database) -> None: ...

    async def no_lineage(_db: Database, _topic: str) -> None: ...

    monkeypatch.setattr(command, "database", connected)
    monkeypatch.setattr(command, "refusals_options", no_options)
    monkeypatch.setattr(command, "newest_lineage", no_lineage)
    checks = {check.what: check.state for check in await command._mongodb(SETTINGS)}
    assert state == checks["clock"]
    assert "ok" == checks["index requests.at_1"]
    database["requests"] = Collection("none")
    missing = {check.what: check for check in await command._mongodb(SETTINGS)}["index requests.at_1"]
    assert ("wrong", "missing: run `tallymill init`") == (missing.state, missing.detail)


async def test_a_server_that_is_away_is_told_by_its_own_check_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once more as losses or workers."""

    def away(_settings: Settings) -> Any:  # noqa: ANN401 nothing
        raise NotReachable("Kafka at a:1: connection refused")

    for name in ("kafka_admin", "kafka_consumer", "find_losses"):
        monkeypatch.setattr(command, name, away)
    assert [("kafka", "wrong")] == [(check.what, check.state) for check in await command._kafka(SETTINGS)]
    assert [] == await command._workers(SETTINGS)
    assert [] == await command._losses(SETTINGS)


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ([{0: PartitionProgress(0, 5, 5)}], []),
        ([{0: PartitionProgress(0, 5, 3)}, {0: PartitionProgress(0, 5, 4)}], []),
        ([{0: PartitionProgress(0, 5, 3)}, {0: PartitionProgress(0, 6, 3)}],
         ["no worker reads partition 0: 3 records wait, its checkpoint does not move"]),
        ([{1: PartitionProgress(0, 5, None)}, {1: PartitionProgress(0, 5, None)}],
         ["no worker reads partition 1: 5 records wait, no worker has read it yet"]),
    ],
)  # fmt: skip
async def test_partitions_where_records_wait_are_looked_at_twice(
    monkeypatch: pytest.MonkeyPatch, looks: list[dict[int, PartitionProgress]], told: list[str]
) -> None:
    """A worker at work has moved its checkpoint by then."""
    seconds = [0.0]

    async def read_progress(*_: object) -> Mapping[int, PartitionProgress]:
        return looks.pop(0)

    async def sleep(more: float) -> None:
        seconds[0] += more

    monkeypatch.setattr(unread, "read_progress", read_progress)
    monkeypatch.setattr(unread, "asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(unread, "time", SimpleNamespace(monotonic=lambda: seconds[0]))
    nothing: Any = None
    assert told == await unread.unread_partitions(nothing, nothing, "t")
    assert [] == looks
