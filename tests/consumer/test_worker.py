"""A worker with the log and the store in memory: records, outages, rebalances and stops."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest
from prometheus_client import CollectorRegistry

from consumer.core.plan import WritePlan
from consumer.core.position import Checkpoint
from consumer.core.reads import Reads
from consumer.core.records import Record
from consumer.memory import MemorySource, MemoryStore
from consumer.ports import Given, Plan, TopicIdentity, Unavailable, UnknownLineage
from consumer.worker import FETCH_SECONDS, Worker
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS, PLAYERS
from tests.consumer.parts import TOPIC, eventually, parts, running
from tests.patience import PATIENCE_SECONDS
from tests.samples import batch, period, sealed, update


def one(offset: int, request_id: int | None = None) -> Record:
    wanted = offset + 1 if request_id is None else request_id
    return sealed(offset, batch(period(update()), request_id=str(wanted)), request_id=wanted)


def applied(store: MemoryStore, partition: int = 0) -> int:
    checkpoint = store.collections[CHECKPOINTS].get(f"r1/{partition:02}")
    return checkpoint["next"] if checkpoint else 0


def total(store: MemoryStore) -> int:
    return sum(sum(player["totals"].values()) for player in store.collections[PLAYERS].values())


def sample(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


class FlakyStore(MemoryStore):
    """Fails on demand, before or after it has done what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.fail_before = 0
        self.fail_after = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = 0

    async def claim(self, partition: PartitionId, owner: str) -> Checkpoint:
        self._maybe_fail_before()
        return await super().claim(partition, owner)

    async def apply(self, reads: Reads, plan: Plan) -> WritePlan:
        self.entered += 1
        await self.gate.wait()
        self._maybe_fail_before()
        written = await super().apply(reads, plan)
        if self.fail_after:
            self.fail_after -= 1
            raise Unavailable("the answer got lost")
        return written

    def _maybe_fail_before(self) -> None:
        if self.fail_before:
            self.fail_before -= 1
            raise Unavailable("away")


async def test_records_are_applied_once_and_told() -> None:
    """Fates, progress, lag and the group's offset."""
    log, store = MemorySource(2, TOPIC), MemoryStore()
    made = parts(log, store)
    for offset in range(5):
        log.append(0, one(offset))
    log.append(1, one(0, request_id=3))
    async with running(made):
        await eventually(lambda: applied(store) == 5 and applied(store, 1) == 1)
    registry = made.metrics.registry
    assert total(store) == 5
    assert sample(registry, "tallymill_worker_records_total", api="games", fate="applied") == 5
    assert sample(registry, "tallymill_worker_records_total", api="games", fate="duplicate") == 1
    assert sample(registry, "tallymill_worker_accepted_to_visible_seconds_count", api="games") == 6
    assert log.committed == {0: 5, 1: 1}


async def test_an_outage_of_the_store_delays_and_loses_nothing() -> None:
    """Neither at the claim nor at the flush; and nothing becomes a dead letter."""
    log, store = MemorySource(1, TOPIC), FlakyStore()
    store.fail_before = 5
    log.append(0, one(0))
    async with running(parts(log, store)):
        await eventually(lambda: applied(store) == 1)
        store.fail_before = 3
        log.append(0, one(1))
        await eventually(lambda: applied(store) == 2)
    assert store.collections[CHECKPOINTS]["r1/00"]["fates"] == {"applied": 2, "duplicate": 0, "refused": 0, "dead": 0}


async def test_a_commit_whose_answer_got_lost_counts_once() -> None:
    """The checkpoint is at the flush's end: the worker's own commit has succeeded."""
    log, store = MemorySource(1, TOPIC), FlakyStore()
    store.fail_after = 1
    made = parts(log, store)
    log.append(0, one(0))
    async with running(made):
        await eventually(lambda: applied(store) == 1)
        log.append(0, one(1))
        await eventually(lambda: applied(store) == 2)
    assert total(store) == 2
    assert sample(made.metrics.registry, "tallymill_worker_flushes_failed_total", api="games", cause="moved") == 1


async def test_an_owner_that_was_overtaken_reads_on_from_the_checkpoint() -> None:
    """A zombie: another owner applied the first records; this one wrote nothing of them."""
    log, store = MemorySource(1, TOPIC), FlakyStore()
    store.gate.clear()
    for offset in range(3):
        log.append(0, one(offset))
    async with running(parts(log, store)):
        await eventually(lambda: store.entered == 1)
        store.collections[CHECKPOINTS]["r1/00"]["next"] = 2
        store.gate.set()
        await eventually(lambda: applied(store) == 3)
    assert total(store) == 1


async def test_a_lost_partition_leaves_nothing_behind_and_a_kept_one_goes_on() -> None:
    """The gauges of a lost partition disappear. The other continues from its checkpoint."""
    log, store = MemorySource(2, TOPIC), MemoryStore()
    made = parts(log, store)
    log.append(0, one(0))
    log.append(1, one(0, request_id=9))
    async with running(made):
        await eventually(lambda: applied(store) == applied(store, 1) == 1)
        await eventually(
            lambda: sample(made.metrics.registry, "tallymill_worker_lag_records", api="games", partition="1") == 0
        )
        log.rebalance([0])
        log.append(0, one(1))
        log.append(1, one(1, request_id=10))
        await eventually(lambda: applied(store) == 2)
        await eventually(
            lambda: sample(made.metrics.registry, "tallymill_worker_lag_records", api="games", partition="0") == 0
        )
        assert sample(made.metrics.registry, "tallymill_worker_lag_records", api="games", partition="1") is None
        assert sample(made.metrics.registry, "tallymill_worker_lag_seconds", api="games", partition="1") is None
        assert sample(made.metrics.registry, "tallymill_worker_rebalances_total", api="games") == 2
    assert applied(store, 1) == 1


async def test_a_stop_finishes_the_flush_in_flight_and_starts_no_other() -> None:
    """What waits is read again by the next owner."""
    log, store = MemorySource(1, TOPIC), FlakyStore()
    store.gate.clear()
    made = parts(log, store, max_flush_records=1)
    log.append(0, one(0))
    log.append(0, one(1))
    async with running(made) as worker:
        await eventually(lambda: store.entered == 1)
        worker.stop()
        asyncio.get_running_loop().call_later(2 * FETCH_SECONDS, store.gate.set)
    assert applied(store) == 1
    assert log.committed == {0: 1}


async def test_a_stop_is_bounded_when_the_store_hangs() -> None:
    """The flush is cancelled. The checkpoint decides whether it was applied."""
    log, store = MemorySource(1, TOPIC), FlakyStore()
    store.gate.clear()
    log.append(0, one(0))
    async with running(parts(log, store, stop_timeout_seconds=0.1)) as worker:
        await eventually(lambda: store.entered == 1)
        worker.stop()
    assert applied(store) == 0


async def test_a_full_worker_stops_fetching_until_there_is_room() -> None:
    """Memory is bounded at any backlog."""
    log, store = MemorySource(1, TOPIC), FlakyStore()
    store.gate.clear()
    made = parts(log, store, max_buffer_bytes=1 << 20)
    big = batch(period(update()), kind="x" * (1 << 20))
    log.append(0, sealed(0, big))
    async with running(made):
        await eventually(lambda: store.entered == 1)
        log.append(0, one(1))
        await eventually(
            lambda: (sample(made.metrics.registry, "tallymill_worker_buffered_bytes", api="games") or 0) > 1 << 20
        )
        held = len(log._drain())
        assert held == 1, "the second record is still in the log"
        log.seek(0, 1)
        store.gate.set()
        await eventually(lambda: applied(store) == 2)


class NoLineageStore(MemoryStore):
    async def lineage(self, topic: TopicIdentity) -> str:
        raise UnknownLineage(f"{topic.topic}: run `tallymill init`")


async def test_a_topic_without_a_lineage_stops_the_worker_with_the_reason() -> None:
    """A topic whose offsets have no known meaning is not read."""
    log = MemorySource(1, TOPIC)
    with pytest.raises(UnknownLineage, match="init"):
        await asyncio.wait_for(Worker(parts(log, NoLineageStore())).run(), PATIENCE_SECONDS)


class BrokenStore(MemoryStore):
    async def apply(self, reads: Reads, plan: Plan) -> WritePlan:
        raise ZeroDivisionError(f"{reads} {plan}")


async def test_a_bug_in_a_flush_ends_the_worker_instead_of_hiding() -> None:
    """A partition that stops unnoticed would be worse than a worker that ends and is restarted."""
    log = MemorySource(1, TOPIC)
    log.append(0, one(0))
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(Worker(parts(log, BrokenStore())).run(), PATIENCE_SECONDS)


class DeafLog(MemorySource):
    """Kafka is unavailable for a while: no joining, no reading, no commits."""

    def __init__(self, failures: int) -> None:
        super().__init__(1, TOPIC)
        self.failures = failures

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("Kafka is away")

    async def start(self, given: Given) -> None:
        self._fail()
        await super().start(given)

    async def identity(self) -> TopicIdentity:
        self._fail()
        return await super().identity()

    async def fetch(self, timeout_seconds: float) -> Mapping[int, Sequence[Record]]:
        self._fail()
        return await super().fetch(timeout_seconds)

    async def commit(self, positions: Mapping[int, int]) -> None:
        self._fail()
        await super().commit(positions)


@pytest.mark.parametrize("when", ["before", "while"])
async def test_an_outage_of_kafka_is_waited_out(when: str) -> None:
    """Before the worker has joined, and while it works."""
    log, store = DeafLog(3 if when == "before" else 0), MemoryStore()
    made = parts(log, store)
    log.append(0, one(0))
    async with running(made):
        await eventually(lambda: applied(store) == 1)
        log.failures = 3
        log.append(0, one(1))
        await eventually(lambda: applied(store) == 2)
    assert (sample(made.metrics.registry, "tallymill_worker_fetch_errors_total", api="games") or 0) > 0


async def test_small_flushes_when_idle_and_large_ones_under_load() -> None:
    """Smart batching: what comes while a flush is in flight is the next flush."""
    log, store = MemorySource(1, TOPIC), FlakyStore()
    made = parts(log, store)
    flushes: Callable[[], float | None] = lambda: sample(  # noqa: E731 used twice
        made.metrics.registry, "tallymill_worker_flush_records_count", api="games"
    )
    async with running(made):
        log.append(0, one(0))
        await eventually(lambda: flushes() == 1)
        store.gate.clear()
        log.append(0, one(1))
        await eventually(lambda: store.entered == 2)
        for offset in range(2, 50):
            log.append(0, one(offset))
        await eventually(lambda: log._positions[0] == 50)
        store.gate.set()
        await eventually(lambda: applied(store) == 50)
    assert flushes() == 3
