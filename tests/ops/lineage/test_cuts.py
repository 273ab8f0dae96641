"""Where a log was cut below its checkpoint, without a broker: which checkpoints are compared, and with what."""

import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from consumer.fetching.batch import DAMAGED_OFFSET
from consumer.ports import TopicIdentity
from ops.config import Settings
from ops.connect import NotReachable
from ops.lineage import cuts
from ops.topic import FIRST_RECORD_SECONDS, Patience, TopicNow

LINEAGE = {"_id": "r1", "topic": "t", "cluster": "c", "topicId": "1"}
PARTITION = TopicPartition("t", 0)


class Consumer:
    """Reads one partition: of each offset the time and the value; `silent`: gives nothing."""

    def __init__(self, records: Mapping[int, tuple[int, bytes]]) -> None:
        self._records = records
        self._from = 0
        self.silent = False
        self.flaw: object = None
        self.seconds = 0.0

    def assign(self, partitions: list[TopicPartition]) -> None:
        assert [PARTITION] == partitions

    def seek(self, _partition: TopicPartition, offset: int) -> None:
        self._from = offset

    def pause(self, _partition: TopicPartition) -> None: ...

    async def getmany(self, **_options: object) -> dict[TopicPartition, list[Any]]:
        self.seconds += FIRST_RECORD_SECONDS / 3
        assert self.seconds < 10 * FIRST_RECORD_SECONDS, "it waits for ever"
        found = {n: one for n, one in self._records.items() if n >= self._from}
        return {PARTITION: [self._record(n, *one) for n, one in found.items()]} if found and not self.silent else {}

    def _record(self, offset: int, timestamp: int, value: bytes) -> Any:  # noqa: ANN401 aiokafka has no types
        return ConsumerRecord("t", 0, offset, timestamp, 1, None, value, self.flaw, 0, len(value), ())

    async def offsets_for_times(self, times: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, Any]:
        younger = [offset for offset, one in self._records.items() if one[0] >= times[PARTITION]]
        return {PARTITION: SimpleNamespace(offset=min(younger)) if younger else None}


def checkpoint(next_offset: int, last: tuple[int, int, bytes] | None) -> dict[str, dict[str, Any]]:
    """`last`: offset, time and value of the last applied record."""
    known = last and {"offset": last[0], "timestamp": last[1], "crc": zlib.crc32(last[2])}
    return {"r1/00": {"_id": "r1/00", "start": 0, "next": next_offset, "last": known}}


async def found(
    monkeypatch: pytest.MonkeyPatch,
    consumer: Consumer,
    checkpoints: Mapping[str, Any],
    bounds: tuple[int, int],
    topic_id: str = "1",
) -> dict[str, int]:
    @asynccontextmanager
    async def connected(_settings: Settings) -> AsyncIterator[Consumer]:
        yield consumer

    monkeypatch.setattr(cuts, "kafka_consumer", connected)
    monkeypatch.setattr(cuts, "Patience", lambda seconds: Patience(seconds, lambda: consumer.seconds))
    topic = TopicNow(TopicIdentity("c", "t", topic_id), {0: bounds})
    return await cuts.cuts_of(Settings(), [LINEAGE], checkpoints, {"t": topic})


OLD = {offset: (100 + offset, b"old") for offset in range(9)}
NEW = {offset: (200 + offset, b"new") for offset in range(10)}
LAST = (8, 108, b"old")


def older(end: int) -> dict[int, tuple[int, bytes]]:
    return {offset: one for offset, one in OLD.items() if offset < end}


def newer(begin: int) -> dict[int, tuple[int, bytes]]:
    return {offset: one for offset, one in NEW.items() if offset >= begin}


@pytest.mark.parametrize(
    ("log", "bounds", "last", "expected"),
    [
        pytest.param(OLD, (0, 10), LAST, {}, id="it is the same"),
        pytest.param(older(5), (0, 5), LAST, {"r1/00": 5}, id="it ends below the checkpoint"),
        pytest.param(OLD, (6, 9), None, {"r1/00": 9}, id="it ends there, and none was applied"),
        pytest.param({8: OLD[8]}, (8, 9), (5, 105, b"old"), {"r1/00": 8}, id="it ends there, the last is removed"),
        pytest.param({}, (9, 9), (5, 105, b"old"), {"r1/00": 9}, id="it ends there, all is removed"),
        pytest.param(older(4) | newer(4), (0, 10), LAST, {"r1/00": 4}, id="written anew"),
        pytest.param(newer(6), (6, 10), LAST, {"r1/00": 6}, id="written anew, and its begin is removed"),
        pytest.param(older(8) | {8: (101, b"new")}, (0, 10), LAST, {"r1/00": 8}, id="anew, by a clock behind"),
        pytest.param(OLD | {9: (300, b"new")}, (0, 10), LAST, {"r1/00": 9}, id="written anew in a gap"),
        pytest.param(OLD | {9: (101, b"new")}, (0, 10), LAST, {"r1/00": 9}, id="in a gap, by a clock behind"),
        pytest.param({9: NEW[9]}, (9, 10), LAST, {}, id="the last is removed: nothing can be compared"),
        pytest.param(NEW, (0, 10), None, {}, id="none was applied: nothing can be compared"),
    ],
)
async def test_a_cut_is_found_by_the_logs_end_or_by_the_last_record_that_was_counted(
    monkeypatch: pytest.MonkeyPatch,
    log: dict[int, tuple[int, bytes]],
    bounds: tuple[int, int],
    last: tuple[int, int, bytes] | None,
    expected: dict[str, int],
) -> None:
    """Offsets below 10 were passed; 9 was a gap."""
    assert expected == await found(monkeypatch, Consumer(log), checkpoint(10, last), bounds)


async def test_another_topic_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its offsets mean other records."""
    assert {} == await found(monkeypatch, Consumer(NEW), checkpoint(10, LAST), (0, 10), topic_id="2")


async def test_a_log_that_gives_no_record_is_given_up_and_never_taken_for_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumer = Consumer(OLD)
    consumer.silent = True
    with pytest.raises(NotReachable, match=r"returned no record of t, partitions \[0\]: checkpoints can't be compared"):
        await found(monkeypatch, consumer, checkpoint(10, LAST), (0, 10))
    assert FIRST_RECORD_SECONDS <= consumer.seconds < 2 * FIRST_RECORD_SECONDS


async def test_a_damaged_record_is_told_by_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no record to compare with."""
    consumer = Consumer({DAMAGED_OFFSET: (0, b"")})
    consumer.flaw = SimpleNamespace(reason="its checksum is wrong")
    with pytest.raises(NotReachable, match="t, partition 0: its checksum is wrong"):
        await found(monkeypatch, consumer, checkpoint(10, LAST), (0, 10))
