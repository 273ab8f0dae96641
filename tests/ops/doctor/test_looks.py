"""What the doctor checks, with scripted servers."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import ClusterAuthorizationFailedError
from pymongo.errors import OperationFailure

from consumer.core.unread import PartitionProgress
from ingress.clock_watch import Source, Stamped
from ops.config import Settings
from ops.connect import NotAllowed, NotReachable
from ops.doctor import clocks, command, unread
from ops.doctor.check import Check
from ops.doctor.command import examine
from schemas.documents import utc
from schemas.requirements import indexes, topic_config
from schemas.topic_risks import TopicShape, new_topic_config
from serving.kafka.topic import TopicConfig

SETTINGS = Settings.model_validate({"kafka": {"bootstrap_servers": "a:1"}})
GOOD = topic_config(SETTINGS.kafka, SETTINGS.limits) | new_topic_config(SETTINGS.kafka)
SHAPE = TopicShape(SETTINGS.kafka.partitions, 3, 3)


async def test_losses_are_told_before_all_else_and_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("_losses", "_kafka", "_mongodb", "clocks", "_workers")
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
    assert ("wrong", "missing: no batch of this API is accepted. Run `tallymill init`") == (
        missing.state,
        missing.detail,
    )


class Collection:
    """Empty, with the indexes that are wanted."""

    def __init__(self, name: str) -> None:
        wanted = [one for one in indexes(SETTINGS.kafka, SETTINGS.limits) if one.collection == name]
        self._indexes = {one.name: {"expireAfterSeconds": one.expire_seconds} for one in wanted}

    async def index_information(self) -> Mapping[str, Any]:
        return self._indexes

    async def find_one(self, *_: object, **__: object) -> None: ...


class Database(dict[str, Collection]):
    """A database of a server that allows transactions to live for a minute, or does not tell."""

    def __init__(self, *, tells: bool) -> None:
        self._tells = tells
        self.client = self.admin = self

    def __missing__(self, name: str) -> Collection:
        return Collection(name)

    async def command(self, command: Any) -> dict[str, Any]:  # noqa: ANN401 a name or a document
        if command == "hello":
            return {"setName": "rs0", "hosts": ["a:1"]}
        if not self._tells:
            raise OperationFailure("no option found to get", 72)
        return {name: 60 for name in command if name != "getParameter"}

    async def list_collections(self, **_: object) -> "Database":
        return self

    async def list_collection_names(self) -> list[str]:
        return []


@pytest.mark.parametrize(("tells", "words"), [(True, "is 60: if a worker is killed"), (False, "is unknown (")])
async def test_transactions_and_indexes_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, words: str, *, tells: bool
) -> None:
    """An index that is missing is wrong."""
    database = Database(tells=tells)

    @asynccontextmanager
    async def connected(_settings: Settings) -> AsyncIterator[Database]:
        yield database

    async def no_options(_db: Database) -> None: ...

    async def no_lineage(_db: Database, _topic: str) -> None: ...

    monkeypatch.setattr(command, "database", connected)
    monkeypatch.setattr(command, "refusals_options", no_options)
    monkeypatch.setattr(command, "newest_lineage", no_lineage)
    checks = {check.what: check for check in await command._mongodb(SETTINGS)}
    assert "warning" == checks["transactions"].state
    assert f"transactionLifetimeLimitSeconds {words}" in checks["transactions"].detail
    assert "ok" == checks["index requests.at_1"].state
    database["requests"] = Collection("none")
    checks = {check.what: check for check in await command._mongodb(SETTINGS)}
    for name in ("keys_1", "at_1"):
        missing = checks[f"index requests.{name}"]
        assert "wrong" == missing.state
        assert missing.detail.startswith("missing: no process starts, because ")
        assert missing.detail.endswith("Run `tallymill init`")


def script(monkeypatch: pytest.MonkeyPatch, *, off_seconds: Mapping[Source, int], kafka_tells: bool = True) -> None:
    """Servers whose clocks are ahead by so many seconds."""

    def ahead(source: Source) -> int:
        return time.time_ns() // 1_000_000 + off_seconds[source] * 1000

    async def send(_node: int, _request: object) -> Any:  # noqa: ANN401 aiokafka's
        if not kafka_tells:
            raise ClusterAuthorizationFailedError
        return SimpleNamespace(
            error_code=0, topics=[("m", [(0, 0, 1, 1, 1, [(1, 1, -1, ahead("kafka"), {})], [], {})])]
        )

    async def hello(_command: str) -> dict[str, Any]:
        return {"localTime": utc(ahead("mongodb")).replace(tzinfo=None)}

    @asynccontextmanager
    async def admin(_settings: Settings) -> AsyncIterator[Any]:
        yield SimpleNamespace(_client=SimpleNamespace(send=send, get_random_node=lambda: 1))

    @asynccontextmanager
    async def connected(_settings: Settings) -> AsyncIterator[Any]:
        yield SimpleNamespace(client=SimpleNamespace(admin=SimpleNamespace(command=hello)))

    monkeypatch.setattr(clocks, "kafka_admin", admin)
    monkeypatch.setattr(clocks, "database", connected)


@pytest.mark.parametrize(
    ("kafka", "mongodb", "wrong", "words"),
    [
        (0, 0, set(), ""),
        (1, -1, set(), ""),
        (-600, -600, {"this machine"}, "600 s ahead of Kafka's and MongoDB's. An ingress that runs here"),
        (600, 600, {"this machine"}, "600 s behind Kafka's and MongoDB's"),
        (600, 0, {"Kafka"}, "600 s ahead of this machine's. Kafka's time decides how long ids are remembered"),
        (0, -600, {"MongoDB"}, "600 s behind this machine's. MongoDB removes remembered ids by its clock"),
    ],
)
async def test_the_clock_that_is_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, kafka: int, mongodb: int, wrong: set[str], words: str
) -> None:
    """Of three clocks, the one that differs from the others. With what follows, and how to mend it."""
    script(monkeypatch, off_seconds={"kafka": kafka, "mongodb": mongodb})
    checks = await clocks.clocks(SETTINGS)
    assert ["clock of this machine", "clock of Kafka", "clock of MongoDB"] == [one.what for one in checks]
    bad = [one for one in checks if one.state != "ok"]
    assert {f"clock of {one}" for one in wrong} == {one.what for one in bad}
    assert all(one.state == "warning" and words in one.detail and "chronyc tracking" in one.detail for one in bad)


async def test_a_clock_that_is_not_told_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the right that is missing. The others are compared."""
    script(monkeypatch, off_seconds={"kafka": 0, "mongodb": 600}, kafka_tells=False)
    unknown, own, other = await clocks.clocks(SETTINGS)
    assert ("clock of Kafka", "warning") == (unknown.what, unknown.state)
    assert "Grant DESCRIBE on the cluster" in unknown.detail
    assert ("clock of this machine", "warning", "ok") == (own.what, own.state, other.state)


async def test_a_slow_answer_is_no_difference() -> None:
    """The server read its clock at some time in between."""
    slow = Stamped(0, 60_000, 30_000)
    assert {"ok"} == {one.state for one in clocks.clock_checks({"kafka": slow, "mongodb": slow}, 30)}
    assert [] == clocks.clock_checks({}, 30)


async def test_a_server_that_is_away_is_told_by_its_own_check_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once more as losses or workers."""

    def away(_settings: Settings) -> Any:  # noqa: ANN401 nothing
        raise NotReachable("Kafka at a:1: connection refused")

    for name in ("kafka_admin", "kafka_consumer", "find_losses"):
        monkeypatch.setattr(command, name, away)
    assert [("kafka", "wrong")] == [(check.what, check.state) for check in await command._kafka(SETTINGS)]
    assert [] == await command._workers(SETTINGS)
    assert [] == await command._losses(SETTINGS)
    monkeypatch.setattr(clocks, "kafka_admin", away)
    monkeypatch.setattr(clocks, "database", away)
    assert [] == await clocks.clocks(SETTINGS)


async def test_a_check_without_its_right_is_not_checked_and_the_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is lacking is told where it is needed."""

    def denied(_settings: Settings) -> Any:  # noqa: ANN401 nothing
        raise NotAllowed("Kafka: no right Describe of the topic t")

    for name in ("kafka_consumer", "find_losses"):
        monkeypatch.setattr(command, name, denied)
    for what, found in (("workers", command._workers), ("records", command._losses)):
        expected = Check(what, "warning", "not checked: Kafka: no right Describe of the topic t")
        assert [expected] == await found(SETTINGS)


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
