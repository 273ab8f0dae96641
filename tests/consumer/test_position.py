"""What a flusher does with records that come while its position is being set, and with offsets it had passed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from consumer.core.gap import Gap
from consumer.core.plan import WritePlan
from consumer.core.position import Bounds, Checkpoint, fingerprint
from consumer.core.reads import Reads
from consumer.core.records import Record
from consumer.flusher import Flusher
from consumer.memory import MemorySource, MemoryStore
from consumer.ports import Moved, Plan, Unavailable, UnknownLineage
from consumer.worker import IDENTITY_SECONDS, Worker
from schemas.checkpoints import fresh_checkpoint
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS, PLAYERS
from tests.consumer.parts import TOPIC, eventually, parts, running
from tests.consumer.test_flusher import checkpoint, one

OURS = PartitionId("r1", 0)


class SlowLeader(MemorySource):
    """Says where the partition begins and ends when it is told to."""

    def __init__(self) -> None:
        super().__init__(1, TOPIC)
        self.asked = 0
        self.go_on = asyncio.Event()

    async def bounds(self, partition: int) -> Bounds:
        self.asked += 1
        await self.go_on.wait()
        return await super().bounds(partition)


async def test_records_that_come_before_the_position_is_set_are_dropped() -> None:
    """Nor is it known then what has been read: what lies before the old position would be passed over as a gap."""
    log, store = SlowLeader(), MemoryStore()
    flusher = Flusher(OURS, parts(log, store))
    for expected in (1, 2):
        await eventually(lambda expected=expected: log.asked == expected)  # type: ignore[misc]
        flusher.offer([one(7)])
        flusher.reached(8)
        log.go_on.set()
        await eventually(flusher.positioned.is_set)
        assert not flusher.buffered_bytes
        log.go_on.clear()
        flusher.resettle()
        flusher.offer([one(7)])
    log.go_on.set()
    await eventually(flusher.positioned.is_set)
    flusher.offer([one(0), one(1)])
    await eventually(lambda: checkpoint(store)["next"] == 2)
    await flusher.close(1)
    assert (checkpoint(store)["next"], checkpoint(store)["gaps"]) == (2, 0)
    assert {"LEVEL_UP": 2} == store.collections[PLAYERS]["demo/ann"]["totals"]


class AwayStore(MemoryStore):
    """Passes over nothing."""

    async def pass_over(self, gap: Gap) -> None:
        raise Unavailable(f"MongoDB: {gap.end} is away")


class OvertakenStore(MemoryStore):
    """Another owner has passed the first offset, once."""

    def __init__(self) -> None:
        super().__init__()
        self.is_overtaken = False

    async def apply(self, reads: Reads, plan: Plan) -> WritePlan:
        if not self.is_overtaken:
            self.is_overtaken = True
            self.collections[CHECKPOINTS][str(OURS)].update(next=1, gaps=1)
            raise Moved(Checkpoint(1))
        return await super().apply(reads, plan)


async def test_what_was_read_before_another_owner_moved_on_is_no_gap() -> None:
    """All of it is dropped, and read again from the checkpoint."""
    log, store = MemorySource(1, TOPIC), OvertakenStore()
    log.ends[0] = 3
    flusher = Flusher(OURS, parts(log, store, max_flush_records=1))
    await eventually(flusher.positioned.is_set)
    flusher.offer([one(1), one(2)])
    flusher.reached(3)
    await eventually(lambda: store.is_overtaken and flusher.positioned.is_set())
    await asyncio.sleep(0.02)
    assert 1 == checkpoint(store)["next"]
    flusher.offer([one(1), one(2)])
    await eventually(lambda: checkpoint(store)["next"] == 3)
    await flusher.close(1)
    assert {"LEVEL_UP": 2} == store.collections[PLAYERS]["demo/ann"]["totals"]


async def test_no_gap_is_passed_over_before_the_last_applied_record_is_found_again() -> None:
    """Only control records have come: the log may be another one."""
    log, store = MemorySource(1, TOPIC), MemoryStore()
    before = {**fresh_checkpoint(0), "_id": str(OURS), "next": 5, "last": dict(fingerprint(one(4)))}
    store.collections[CHECKPOINTS][str(OURS)] = before
    log.ends[0] = 9
    flusher = Flusher(OURS, parts(log, store))
    await eventually(flusher.positioned.is_set)
    flusher.reached(9)
    await asyncio.sleep(0.02)
    assert 5 == checkpoint(store)["next"]
    flusher.offer([one(4)])
    flusher.reached(9)
    await eventually(lambda: checkpoint(store)["next"] == 9)
    await flusher.close(1)


async def test_a_stop_passes_over_no_gap() -> None:
    """The next owner does. One that could not be written is not taken for done."""
    log, store = MemorySource(1, TOPIC), AwayStore()
    log.ends[0] = 3
    made = parts(log, store)
    flusher = Flusher(OURS, made)
    await eventually(flusher.positioned.is_set)
    flusher.reached(3)
    await eventually(lambda: flusher.is_retrying)
    await flusher.close(1)
    assert Checkpoint(0) == flusher.checkpoint
    assert 0 == made.metrics.registry.get_sample_value("tallymill_worker_gap_offsets_total", {"api": "games"})


async def test_a_record_at_an_offset_that_was_passed_stops_the_partition() -> None:
    """The log was cut and written anew. The last applied record, which would show it, has been removed since."""
    log, store = MemorySource(1, TOPIC), MemoryStore()
    before = {**fresh_checkpoint(0), "_id": str(OURS), "next": 5, "last": dict(fingerprint(one(2))), "gaps": 4}
    store.collections[CHECKPOINTS][str(OURS)] = before
    log.begins[0] = 3
    for offset in (4, 5):
        log.append(0, one(offset))
    async with running(parts(log, store)):
        await eventually(lambda: "stopped" in checkpoint(store))
    assert "there is a record at offset 4, where none was" in str(checkpoint(store)["stopped"])
    assert not store.collections[PLAYERS]


class MadeAnew(MemorySource):
    """Its topic is deleted and made again, and one fetch fails meanwhile."""

    def __init__(self) -> None:
        super().__init__(1, TOPIC)
        self.fails = False

    async def fetch(self, timeout_seconds: float) -> Mapping[int, Sequence[Record]]:
        if self.fails:
            self.fails = False
            raise Unavailable("Kafka: no such topic")
        return await super().fetch(timeout_seconds)


async def test_after_a_failed_fetch_the_topic_is_verified_at_once() -> None:
    """Its offsets may mean other records."""
    log = MadeAnew()
    task = asyncio.create_task(Worker(parts(log, MemoryStore())).run())
    await eventually(lambda: log.reached(0) is not None)
    log._topic, log.fails = replace(TOPIC, topic_id="another"), True
    with pytest.raises(UnknownLineage, match="start this worker again"):
        await asyncio.wait_for(task, IDENTITY_SECONDS / 2)
