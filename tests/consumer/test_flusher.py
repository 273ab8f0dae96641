"""What a partition does with records that can't be stored, logs that are not the same, and standing still."""

import asyncio
from typing import Any

import pytest

from consumer.core.plan import WritePlan
from consumer.core.policy import DEAD_ALLOWANCE
from consumer.core.position import Checkpoint
from consumer.core.reads import Reads
from consumer.core.records import Record
from consumer.memory import MemorySource, MemoryStore
from consumer.ports import Collision, FlushTooLarge, Plan, RecordRefused, TopicIdentity, Unavailable
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS, DEAD_LETTERS, PLAYERS
from tests.clock import TestClock
from tests.consumer.parts import TOPIC, eventually, parts, running
from tests.patience import PATIENCE_SECONDS
from tests.samples import batch, period, sealed, update

# More than `stall_seconds`.
LONG_MILLIS = 3_600_000


def one(offset: int, request_id: int | None = None) -> Record:
    wanted = offset + 1 if request_id is None else request_id
    return sealed(offset, batch(period(update()), request_id=str(wanted)), request_id=wanted)


def checkpoint(store: MemoryStore, partition: int = 0) -> dict[str, object]:
    return store.collections[CHECKPOINTS].get(f"r1/{partition:02}", {"next": None})


class PickyStore(MemoryStore):
    """Refuses given records, as MongoDB would."""

    def __init__(self) -> None:
        super().__init__()
        self.unstorable: set[int] = set()
        self.even_dead = False
        self.most_records = 1_000
        self.collide = False
        self.away = False

    async def apply(self, reads: Reads, plan: Plan) -> WritePlan:
        if self.away:
            raise Unavailable("away")
        if self.collide:
            raise Collision("E11000")
        if reads.size.records > self.most_records:
            raise FlushTooLarge("388")
        planned = await self._planned(reads, plan)
        refused = offsets_of(planned) & self.unstorable
        if refused and (self.even_dead or not planned.dead_letters):
            raise RecordRefused("BSON can't hold it")
        return await super().apply(reads, plan)

    async def _planned(self, reads: Reads, plan: Plan) -> WritePlan:
        return plan(self._known(reads))


def offsets_of(plan: WritePlan) -> set[int]:
    """Where the records stand that are applied or set aside by it."""
    dead = (one["_id"] for one in plan.dead_letters)
    return {one.offset for one in plan.requests.values()} | {int(place.rpartition("/")[2]) for place in dead}


async def test_records_that_can_not_be_stored_are_found_and_set_aside() -> None:
    """The others count, wherever the bad ones stand."""
    log, store = MemorySource(1, TOPIC), PickyStore()
    store.unstorable = {0, 3, 4, 9}
    for offset in range(10):
        log.append(0, one(offset))
    async with running(parts(log, store)):
        await eventually(lambda: checkpoint(store)["next"] == 10)
    assert store.collections[PLAYERS]["demo/ann"]["totals"] == {"LEVEL_UP": 6}
    assert sorted(store.collections[DEAD_LETTERS]) == ["r1/00/0", "r1/00/3", "r1/00/4", "r1/00/9"]
    assert {letter["reason"] for letter in store.collections[DEAD_LETTERS].values()} == {"BSON can't hold it"}


async def test_a_flush_too_large_is_applied_in_parts_and_makes_no_dead_letter() -> None:
    """Halved as often as it takes."""
    log, store = MemorySource(1, TOPIC), PickyStore()
    store.most_records = 2
    for offset in range(9):
        log.append(0, one(offset))
    async with running(parts(log, store)):
        await eventually(lambda: checkpoint(store)["next"] == 9)
    assert store.collections[PLAYERS]["demo/ann"]["totals"] == {"LEVEL_UP": 9}
    assert store.collections[DEAD_LETTERS] == {}


@pytest.mark.parametrize("trouble", ["collision", "one record too large", "not even a dead letter"])
async def test_what_can_not_be_gone_on_with_stops_its_partition_alone(trouble: str) -> None:
    """The checkpoint and the metrics have the reason. The other partition continues. The worker is alive."""
    log, store = MemorySource(2, TOPIC), PickyStore()
    made = parts(log, store)
    log.append(0, one(0))
    store.collide = trouble == "collision"
    store.most_records = 0 if trouble == "one record too large" else 1_000
    store.unstorable, store.even_dead = ({0}, True) if trouble.startswith("not") else (set(), False)
    async with running(made) as worker:
        await eventually(lambda: "stopped" in checkpoint(store))
        assert log.reached(0) is None, "it is not read on, only to be dropped"
        store.collide, store.most_records, store.unstorable = False, 1_000, set()
        log.append(0, one(1))
        log.append(1, one(0, request_id=7))
        await eventually(lambda: checkpoint(store, 1)["next"] == 1)
        assert worker.alive()
        stopped = made.metrics.registry.get_sample_value(
            "tallymill_worker_partition_stopped", {"api": "games", "partition": "0"}
        )
        assert stopped == 1
    assert checkpoint(store)["next"] == 0
    assert store.collections[DEAD_LETTERS] == {}


async def test_another_record_at_the_last_offset_stops_the_partition() -> None:
    """The log was cut and written again in the meantime."""
    log, store = MemorySource(1, TOPIC), MemoryStore()
    for offset in range(3):
        log.append(0, one(offset))
    async with running(parts(log, store)):
        await eventually(lambda: checkpoint(store)["next"] == 3)
    log.records[0][2] = one(2, request_id=99)
    log.append(0, one(3))
    async with running(parts(log, store)):
        await eventually(lambda: "stopped" in checkpoint(store))
    assert "offset 2" in str(checkpoint(store)["stopped"])
    assert checkpoint(store)["next"] == 3


async def test_the_last_applied_record_is_read_again_and_not_applied_again() -> None:
    """On every start but the first."""
    log, store = MemorySource(1, TOPIC), MemoryStore()
    log.append(0, one(0))
    async with running(parts(log, store)):
        await eventually(lambda: checkpoint(store)["next"] == 1)
    log.append(0, one(1))
    async with running(parts(log, store)):
        await eventually(lambda: checkpoint(store)["next"] == 2)
    assert checkpoint(store)["fates"] == {"applied": 2, "duplicate": 0, "refused": 0, "dead": 0}


async def test_a_flush_adds_how_long_the_records_before_it_took() -> None:
    """It can't know its own time. Records count once, whatever the flushes are."""
    log, store = MemorySource(1, TOPIC), MemoryStore()
    async with running(parts(log, store)):
        for offset in range(3):
            log.append(0, one(offset))
            await eventually(lambda last=offset: checkpoint(store)["next"] == last + 1)  # type: ignore[misc]
            visible: Any = checkpoint(store)["visible"]
            assert offset == sum(visible.values())


async def test_records_removed_before_they_were_applied_stop_the_partition() -> None:
    """The reason says what is lost."""
    log, store = MemorySource(1, TOPIC), MemoryStore()
    log.append(0, one(5))
    log.begins[0] = 5
    async with running(parts(log, store)):
        await eventually(lambda: "stopped" in checkpoint(store))
    assert "offsets 0 to 4 were removed" in str(checkpoint(store)["stopped"])


async def test_a_partition_of_garbage_stops_before_it_is_all_set_aside() -> None:
    """After about a hundred dead letters. The other partition continues, and the worker is not restarted."""
    log, store = MemorySource(2, TOPIC), MemoryStore()
    for offset in range(3 * DEAD_ALLOWANCE):
        log.append(0, Record(offset, 1_790_000_000_000, None, b"garbage", []))
    async with running(parts(log, store, max_flush_records=10)) as worker:
        await eventually(lambda: "stopped" in checkpoint(store))
        log.append(1, one(0))
        await eventually(lambda: checkpoint(store, 1)["next"] == 1)
        assert worker.alive()
    assert "TooManyDead: offsets 100 to 109: 10 records" in str(checkpoint(store)["stopped"])
    assert len(store.collections[DEAD_LETTERS]) == DEAD_ALLOWANCE


async def test_what_an_ingress_signed_never_stops_a_partition() -> None:
    """However much of it is dead. Otherwise any client whose body triggers a bug could stop a worker."""
    log, store = MemorySource(1, TOPIC), MemoryStore()
    for offset in range(3 * DEAD_ALLOWANCE):
        log.append(0, sealed(offset, b"no batch", request_id=offset))
    async with running(parts(log, store, max_flush_records=10)):
        await eventually(lambda: checkpoint(store)["next"] == 3 * DEAD_ALLOWANCE)
    assert len(store.collections[DEAD_LETTERS]) == 3 * DEAD_ALLOWANCE


async def test_a_partition_that_stands_still_is_not_alive_unless_a_server_is_away() -> None:
    """A worker that hangs must be restarted; one that waits for MongoDB must not."""
    log, store, clock = MemorySource(1, TOPIC), PickyStore(), TestClock()
    async with running(parts(log, store, clock)) as worker:
        await eventually(lambda: not worker.missing())
        clock.now_millis += LONG_MILLIS
        await eventually(worker.alive)
        store.away = True
        log.append(0, one(0))
        flusher = worker._flushers[0]
        await eventually(lambda: flusher.is_retrying)
        clock.now_millis += LONG_MILLIS
        assert worker.alive(), "MongoDB is away"
        flusher._retry._retrying_since.clear()
        assert not worker.alive(), "nothing is away, and nothing moves"
        store.away = False
        await eventually(lambda: checkpoint(store)["next"] == 1)
        await eventually(worker.alive)


class SilentStore(MemoryStore):
    """Never answers the named call."""

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()

    async def _say_nothing(self, question: str) -> None:
        if question == self._question:
            self.asked.set()
            await self.answers.wait()

    async def lineage(self, topic: TopicIdentity) -> str:
        await self._say_nothing("lineage")
        return await super().lineage(topic)

    async def claim(self, partition: PartitionId, owner: str) -> Checkpoint:
        await self._say_nothing("claim")
        return await super().claim(partition, owner)


@pytest.mark.parametrize("question", ["lineage", "claim"])
async def test_a_take_over_that_hangs_is_not_alive(question: str) -> None:
    """Before the first position is known, waiting records are unknown too. Only the time shows that it hangs."""
    store, clock = SilentStore(question), TestClock()
    async with running(parts(MemorySource(1, TOPIC), store, clock)) as worker:
        await asyncio.wait_for(store.asked.wait(), PATIENCE_SECONDS)
        assert worker.alive()
        clock.now_millis += LONG_MILLIS
        assert not worker.alive()
        store.answers.set()
        await eventually(lambda: not worker.missing() and worker.alive())


class SlowStore(MemoryStore):
    """A flush takes 60 ms by the clock of the test."""

    def __init__(self, clock: TestClock) -> None:
        super().__init__()
        self.clock = clock
        self.flushes: list[int] = []

    async def apply(self, reads: Reads, plan: Plan) -> WritePlan:
        self.clock.skipped_seconds += 0.06
        for _ in range(5):  # meanwhile the next records are decoded
            await asyncio.sleep(0)
        self.flushes.append(reads.size.records)
        return await super().apply(reads, plan)


class NotingClock(TestClock):
    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        await asyncio.sleep(0)


@pytest.mark.parametrize(("size", "rests"), [(2, []), (20, [0.03, 0.03]), (300, [])])
async def test_a_partition_rests_between_two_small_flushes(size: int, rests: list[float]) -> None:
    """So that a busy machine makes fewer of them. What is ready for a large one is written at once."""
    log, clock = MemorySource(1, TOPIC), NotingClock()
    store = SlowStore(clock)
    for offset in range(3 * size):
        log.append(0, one(offset))
    async with running(parts(log, store, clock, max_flush_records=size)):
        await eventually(lambda: checkpoint(store)["next"] == 3 * size)
    assert (store.flushes, [one for one in clock.slept if one]) == ([size] * 3, rests)
