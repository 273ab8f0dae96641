"""A worker at offsets that hold no record: it moves its checkpoint over them, and over nothing else."""

import asyncio
from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.gap import Gap
from consumer.core.position import Checkpoint
from consumer.core.records import Record
from consumer.memory import MemorySource, MemoryStore
from consumer.ports import Damaged, Moved, Unavailable
from consumer.worker import FETCH_SECONDS
from schemas.documents import CHECKPOINTS, DEAD_LETTERS, PLAYERS
from tests.clock import TestClock
from tests.consumer.parts import TOPIC, eventually, parts, running
from tests.consumer.test_flusher import LONG_MILLIS, PickyStore, checkpoint, one
from tests.examples import examples


async def test_a_gap_behind_the_last_record_is_passed_over() -> None:
    """No lag is left, what was applied last stays known, and records behind it count as ever."""
    log, store = MemorySource(1, TOPIC), MemoryStore()
    made = parts(log, store)
    log.append(0, one(0))
    log.append_gap(0, 2)
    async with running(made) as worker:
        await eventually(lambda: checkpoint(store)["next"] == 3)
        log.append(0, one(3))
        await eventually(lambda: checkpoint(store)["next"] == 4)
        assert worker.alive()
        gaps = made.metrics.registry.get_sample_value("tallymill_worker_gap_offsets_total", {"api": "games"})
        assert gaps == 2
    assert store.collections[PLAYERS]["demo/ann"]["totals"] == {"LEVEL_UP": 2}
    assert (checkpoint(store)["gaps"], checkpoint(store)["fates"]) == (
        2,
        {"applied": 2, "duplicate": 0, "refused": 0, "dead": 0},
    )


async def test_a_gap_removed_by_retention_was_no_loss_once_it_is_passed_over() -> None:
    """The partition would be stopped for ever by a loss that is none."""
    log, store = MemorySource(1, TOPIC), MemoryStore()
    log.append(0, one(0))
    log.append_gap(0)
    async with running(parts(log, store)):
        await eventually(lambda: checkpoint(store)["next"] == 2)
    log.records[0].clear()
    log.begins[0] = 2
    log.append(0, one(2))
    async with running(parts(log, store)):
        await eventually(lambda: checkpoint(store)["next"] == 3)
    assert "stopped" not in checkpoint(store)


async def test_a_gap_behind_a_record_that_is_not_applied_yet_stays() -> None:
    """The store is unavailable: the checkpoint doesn't move, whatever has been read."""
    log, store = MemorySource(1, TOPIC), PickyStore()
    store.away = True
    log.append(0, one(0))
    log.append_gap(0)
    async with running(parts(log, store)):
        await eventually(lambda: checkpoint(store)["next"] == 0)
        await asyncio.sleep(FETCH_SECONDS)
        assert checkpoint(store)["next"] == 0
        store.away = False
        await eventually(lambda: checkpoint(store)["next"] == 2)
    assert store.collections[PLAYERS]["demo/ann"]["totals"] == {"LEVEL_UP": 1}


class GapStore(MemoryStore):
    """Fails a gap on demand: before it is written, after it, or because of another owner."""

    def __init__(self, trouble: str) -> None:
        super().__init__()
        self.trouble = trouble

    async def pass_over(self, gap: Gap) -> None:
        trouble, self.trouble = self.trouble, ""
        if trouble == "before":
            raise Unavailable("away")
        if trouble == "another owner":
            await super().pass_over(Gap(gap.partition, gap.start, gap.end - 1))
            raise Moved(Checkpoint(gap.end - 1, None))
        await super().pass_over(gap)
        if trouble == "after":
            raise Unavailable("cut off")


async def test_a_gap_whose_write_fails_is_counted_once() -> None:
    """Nothing written; written and the answer lost; another owner that moved on."""
    for trouble in ("before", "after", "another owner"):
        log, store = MemorySource(1, TOPIC), GapStore(trouble)
        log.append(0, one(0))
        log.append_gap(0, 3)
        async with running(parts(log, store)):
            await eventually(lambda store=store: checkpoint(store)["next"] == 4)  # type: ignore[misc]
        assert checkpoint(store)["gaps"] == 3


@settings(max_examples=examples(20))
@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.integers(1, 3))
async def test_records_and_gaps_in_any_order_add_up_to_the_offsets(shape: list[int], flush_records: int) -> None:
    """0 is a record, anything else a gap of so many: every record counts once."""
    log, store, offset, records = MemorySource(1, TOPIC), MemoryStore(), 0, 0
    async with running(parts(log, store, max_flush_records=flush_records)):
        for gap in shape:
            if gap:
                log.append_gap(0, gap)
            else:
                log.append(0, one(offset))
                records += 1
            offset += gap or 1
            await asyncio.sleep(0)
        await eventually(lambda: checkpoint(store)["next"] == offset)
    found = store.collections[CHECKPOINTS]["r1/00"]
    assert (found["fates"]["applied"], found["gaps"]) == (records, offset - records)


class DamagedLog(MemorySource):
    """After its records, partition 0 returns bytes that can't be records."""

    def __init__(self) -> None:
        super().__init__(2, TOPIC)
        self.damaged = False

    async def fetch(self, timeout_seconds: float) -> Mapping[int, Sequence[Record]]:
        if self.damaged:
            self.damaged = False
            raise Damaged({0: "the batch at offset 1 is damaged"})
        return await super().fetch(timeout_seconds)


async def test_damage_stops_its_partition_alone() -> None:
    """With its reason. Nothing becomes a dead letter, and the other partition continues."""
    log, store = DamagedLog(), MemoryStore()
    log.append(0, one(0))
    async with running(parts(log, store)) as worker:
        await eventually(lambda: checkpoint(store)["next"] == 1)
        log.damaged = True
        await eventually(lambda: "stopped" in checkpoint(store))
        log.append(1, one(0, request_id=7))
        await eventually(lambda: checkpoint(store, 1)["next"] == 1)
        assert worker.alive()
    assert "the batch at offset 1 is damaged" in str(checkpoint(store)["stopped"])
    assert store.collections[DEAD_LETTERS] == {}


class SilentLog(MemorySource):
    """Its broker does not answer, so its end is unknown."""

    silent = False

    def end_offset(self, partition: int) -> int | None:
        return None if self.silent else super().end_offset(partition)


async def test_an_end_that_is_unknown_is_no_lag_of_zero_and_not_a_stuck_partition() -> None:
    """The gauges are missing until the end is known again."""
    log, store, clock = SilentLog(1, TOPIC), MemoryStore(), TestClock()
    made = parts(log, store, clock)

    def lag() -> float | None:
        return made.metrics.registry.get_sample_value(
            "tallymill_worker_lag_records", {"api": "games", "partition": "0"}
        )

    log.append(0, one(0))
    async with running(made) as worker:
        await eventually(lambda: lag() == 0)
        log.silent = True
        await eventually(lambda: lag() is None)
        clock.now_millis += LONG_MILLIS
        assert worker.alive()
        log.silent = False
        await eventually(lambda: lag() == 0)
