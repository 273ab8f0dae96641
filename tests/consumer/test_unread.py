"""What a worker reports of partitions without a reader, with scripted checks. On real servers: test_unread_real.py."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from structlog.testing import capture_logs

from consumer import unread
from consumer.core.unread import PartitionProgress
from consumer.metrics import WorkerMetrics
from consumer.unread import UnreadWatch
from schemas.documents import CHECKPOINTS, LINEAGES
from schemas.settings import KafkaSettings
from tests.patience import PATIENCE_SECONDS

Look = Mapping[int, PartitionProgress] | Exception

UNREAD = PartitionProgress(0, 7, None)
READ = PartitionProgress(0, 7, 7)


def told(metrics: WorkerMetrics) -> tuple[float, dict[str, float]]:
    """Partitions that no worker reads, and the records of each."""
    samples = next(iter(metrics.unread_records.collect())).samples
    records = {sample.labels["partition"]: sample.value for sample in samples}
    return float(metrics.unread_partitions.labels("games")._value.get()), records


async def watched(monkeypatch: pytest.MonkeyPatch, looks: Sequence[Look]) -> list[tuple[float, dict[str, float]]]:
    """The metrics before each check, after the last one, and when the watch has ended."""
    metrics, seen, left = WorkerMetrics(), list[Any](), list(looks)
    over = asyncio.Event()

    @asynccontextmanager
    async def reader(_kafka: KafkaSettings) -> AsyncIterator[None]:
        yield

    async def read_progress(*_: object) -> Mapping[int, PartitionProgress]:
        seen.append(told(metrics))
        if not left:
            over.set()
            await asyncio.Event().wait()
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(unread, "all_reader", reader)
    monkeypatch.setattr(unread, "read_progress", read_progress)
    monkeypatch.setattr(unread, "CHECK_SECONDS", 0)
    database: Any = SimpleNamespace(with_options=lambda **_: None)
    running = asyncio.create_task(UnreadWatch(KafkaSettings(), "games", database, metrics).run())
    async with asyncio.timeout(PATIENCE_SECONDS):
        await over.wait()
    running.cancel()
    await asyncio.wait((running,))
    return [*seen, told(metrics)]


def same(found: tuple[float, dict[str, float]], partitions: float, **records: float) -> bool:
    """NaN is NaN here."""
    is_same = math.isnan(found[0]) if math.isnan(partitions) else found[0] == partitions
    return is_same and found[1] == {name.removeprefix("p"): value for name, value in records.items()}


async def test_partitions_that_nobody_reads_are_told_once_and_again_when_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a check has not found is no longer in the metrics."""
    with capture_logs() as lines:
        before, one, two, again, none, end = await watched(
            monkeypatch, [{3: UNREAD}, {3: UNREAD, 4: UNREAD}, {3: UNREAD, 4: READ}, {3: READ, 4: READ}]
        )
    assert same(before, math.nan)
    assert same(one, 1, p3=7)
    assert same(two, 2, p3=7, p4=7)
    assert same(again, 1, p3=7)
    assert same(none, 0)
    assert same(end, math.nan)
    events = [(line["event"], line["partitions"]) for line in lines]
    unread_lines = [("partitions_unread", [3]), ("partitions_unread", [4])]
    assert [*unread_lines, ("partitions_read", [4]), ("partitions_read", [3])] == events


async def test_a_look_that_fails_leaves_it_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never zero; another is made."""
    _, _, failed, again, _ = await watched(monkeypatch, [{3: UNREAD}, KafkaConnectionError("x"), {3: UNREAD}])
    assert same(failed, math.nan)
    assert same(again, 1, p3=7)


async def test_a_look_at_a_checkpoint_that_was_changed_by_hand_is_told_and_not_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The watch would end without a word: no partition would be unread from then on."""
    with capture_logs() as lines:
        _, _, failed, again, _ = await watched(monkeypatch, [{3: UNREAD}, KeyError("next"), {3: UNREAD}])
    assert same(failed, math.nan)
    assert same(again, 1, p3=7)
    assert ["watch of unread partitions"] == [line["task"] for line in lines if line["event"] == "bug"]


async def test_a_look_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one silent broker was waited for."""
    monkeypatch.setattr(unread, "ANSWER_SECONDS", 0.01)
    metrics, asked, twice = WorkerMetrics(), list[int](), asyncio.Event()

    @asynccontextmanager
    async def reader(_kafka: KafkaSettings) -> AsyncIterator[None]:
        yield

    async def hang(*_: object) -> Mapping[int, PartitionProgress]:
        asked.append(1)
        if len(asked) > 1:
            twice.set()
        await asyncio.Event().wait()
        return {}

    monkeypatch.setattr(unread, "all_reader", reader)
    monkeypatch.setattr(unread, "read_progress", hang)
    monkeypatch.setattr(unread, "CHECK_SECONDS", 0)
    database: Any = SimpleNamespace(with_options=lambda **_: None)
    running = asyncio.create_task(UnreadWatch(KafkaSettings(), "games", database, metrics).run())
    async with asyncio.timeout(PATIENCE_SECONDS):
        await twice.wait()
    running.cancel()
    await asyncio.wait((running,))


class Reader:
    """Knows three partitions once its metadata are new."""

    def __init__(self) -> None:
        self._client = self
        self.is_new = False

    async def add_topic(self, topic: str) -> None:
        assert "t" == topic

    async def force_metadata_update(self) -> None:
        self.is_new = True

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return {0, 1, 2} if self.is_new else {0}

    async def beginning_offsets(self, partitions: Sequence[Any]) -> dict[Any, int]:
        return dict.fromkeys(partitions, 1)

    async def end_offsets(self, partitions: Sequence[Any]) -> dict[Any, int]:
        return dict.fromkeys(partitions, 9)


class Collection:
    def __init__(self, *documents: dict[str, Any]) -> None:
        self._documents = documents

    async def find_one(self, query: dict[str, Any], sort: object) -> dict[str, Any] | None:
        assert [("generation", -1)] == sort
        found = [one for one in self._documents if one["topic"] == query["topic"]]
        return max(found, key=lambda one: int(one["generation"]), default=None)

    async def find(self, query: dict[str, Any], _fields: object) -> AsyncIterator[dict[str, Any]]:
        for one in self._documents:
            if query["_id"]["$gte"] <= one["_id"] < query["_id"]["$lt"]:
                yield one


async def test_a_look_is_at_all_partitions_of_the_topic_and_the_checkpoints_of_its_newest_lineage() -> None:
    """Also at those that have been added a moment ago, and have no checkpoint yet."""
    generations = [{"_id": f"r{n}", "topic": "t", "generation": n} for n in (2, 1)]
    other = {"_id": "r3", "topic": "u", "generation": 3}
    checkpoints = [{"_id": key, "next": at} for key, at in (("r1/00", 3), ("r2/00", 5), ("r2/01", 6), ("r20/02", 8))]
    database: Any = {LINEAGES: Collection(*generations, other), CHECKPOINTS: Collection(*checkpoints)}
    reader: Any = Reader()
    found = await unread.read_progress(reader, database, "t")
    assert {0: PartitionProgress(1, 9, 5), 1: PartitionProgress(1, 9, 6), 2: PartitionProgress(1, 9, None)} == found
    none: Any = {LINEAGES: Collection(), CHECKPOINTS: Collection(*checkpoints)}
    assert {None} == {one.next_offset for one in (await unread.read_progress(reader, none, "t")).values()}
