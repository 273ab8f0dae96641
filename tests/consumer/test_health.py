"""What a worker reports while Kafka, MongoDB or its client fails, and what it does after an election."""

import asyncio
import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer import health
from consumer.core.records import Record
from consumer.memory import MemorySource, MemoryStore
from consumer.ports import Unavailable
from consumer.worker import Worker
from schemas.documents import CHECKPOINTS
from serving import outage
from tests.clock import TestClock
from tests.consumer.parts import TOPIC, eventually, parts, running
from tests.consumer.test_worker import FlakyStore, applied, one, sample, total
from tests.samples import batch, period, sealed, update


class AilingLog(MemorySource):
    """Its brokers' state is set by the test."""

    def __init__(self, partitions: int = 1) -> None:
        super().__init__(partitions, TOPIC)
        self.unreachable = 0.0
        self.unread: dict[int, float] = {}
        self.neglected: dict[int, float] = {}
        self.member = True

    @property
    def is_member(self) -> bool:
        return self.member and super().is_member

    def unreachable_seconds(self) -> float:
        return self.unreachable

    def unread_seconds(self, partition: int) -> float:
        return self.unread.get(partition, 0.0)

    def neglected_seconds(self, partition: int) -> float:
        return self.neglected.get(partition, 0.0)

    def end_offset(self, partition: int) -> int | None:
        return None if partition in self.unread else super().end_offset(partition)


def what(worker: Worker) -> list[str]:
    return [one.what for one in worker.missing()]


async def test_a_worker_without_a_share_is_not_ready_and_says_so() -> None:
    """Before it has joined."""
    worker = Worker(parts(AilingLog(), MemoryStore()))
    assert ["share"] == what(worker)
    assert worker.alive()


async def test_a_worker_that_stops_is_not_ready() -> None:
    """From the signal on, also while it waits for its last flush, and when it has given everything up."""
    log, store = AilingLog(), FlakyStore()
    store.gate.clear()
    async with running(parts(log, store, stop_timeout_seconds=0.1)) as worker:
        await eventually(lambda: not worker.missing())
        log.append(0, one(0))
        await eventually(lambda: worker._flushers[0].buffered_bytes > 0)
        worker.stop()
        assert ["stopping"] == what(worker)
        await eventually(lambda: not worker._flushers)
        assert ["stopping"] == what(worker)
        assert worker.alive()


async def test_a_worker_that_is_not_ready_names_the_server_that_is_lost() -> None:
    """With the reason that its log has. A lost server alone makes no worker unready: it may be back soon."""
    made = parts(AilingLog(), MemoryStore())
    worker = Worker(made)
    made.outages["kafka"].lost("cluster", "connection refused")
    assert {"share": "games: the group has not", "kafka": "kafka: connection refused"} == {
        one.what: one.why.partition(" given")[0] for one in worker.missing()
    }
    async with running(made) as ready:
        await eventually(lambda: not ready.missing())
        assert made.outages["kafka"].lasts


async def test_kafka_that_cannot_be_reached_makes_unready_and_stays_alive() -> None:
    """A restart would not help. Lag is unknown, not zero."""
    log, store, clock = AilingLog(), MemoryStore(), TestClock()
    made = parts(log, store, clock)
    async with running(made) as worker:
        await eventually(lambda: not worker.missing())
        log.unreachable, log.unread = 14.0, {0: 3600.0}
        assert ["kafka"] == what(worker)
        assert "no broker of Kafka has answered for 14 s" == worker.missing()[0].why
        clock.now_millis += 3_600_000
        assert worker.alive()
        labels = {"api": "games", "partition": "0"}
        await eventually(lambda: sample(made.metrics.registry, "tallymill_worker_lag_records", **labels) is None)
        log.unreachable, log.unread = 0.0, {}
        await eventually(lambda: not worker.missing())
        await eventually(lambda: sample(made.metrics.registry, "tallymill_worker_lag_records", **labels) == 0)


async def test_a_partition_that_has_stopped_is_never_said_to_have_no_lag() -> None:
    """The log may have been cut there. What was written since waits, and its number is unknown."""
    log, labels = AilingLog(), {"api": "games", "partition": "0"}
    made = parts(log, MemoryStore())
    async with running(made) as worker:
        await eventually(lambda: sample(made.metrics.registry, "tallymill_worker_lag_records", **labels) == 0)
        worker._flushers[0].stopped = "the log was cut"
        await eventually(lambda: sample(made.metrics.registry, "tallymill_worker_lag_records", **labels) is None)


async def test_a_partition_whose_broker_is_silent_makes_unready_and_stays_alive() -> None:
    """The others are read; which one is not, is named."""
    log = AilingLog(2)
    async with running(parts(log, MemoryStore())) as worker:
        await eventually(lambda: not worker.missing())
        log.unread = {1: 3600.0}
        assert ["kafka"] == what(worker)
        assert "[1]" in worker.missing()[0].why
        assert worker.alive()


async def test_a_partition_that_is_not_read_though_its_broker_answers_ends_the_worker() -> None:
    """The worker itself hangs, so a restart helps."""
    log = AilingLog(2)
    made = parts(log, MemoryStore())
    async with running(made) as worker:
        await eventually(lambda: not worker.missing())
        log.unread = {1: 2 * made.settings.stall_seconds}  # most of it an outage of the broker
        log.neglected = {1: made.settings.stall_seconds - 1}
        assert worker.alive()
        log.neglected = {1: made.settings.stall_seconds + 1}
        assert not worker.alive()


async def test_records_that_wait_are_lag_also_where_the_end_is_unknown() -> None:
    """A worker with a hanging flush is not alive, whether or not a broker reports the log's end."""
    log, store, clock = AilingLog(), FlakyStore(), TestClock()
    store.gate.clear()
    log.append(0, one(0))
    async with running(parts(log, store, clock, stop_timeout_seconds=0.1)) as worker:
        await eventually(lambda: store.entered == 1)
        log.unread = {0: 1.0}
        clock.now_millis += 3_600_000
        assert not worker.alive()
        store.gate.set()
        await eventually(worker.alive)


async def test_a_loop_that_does_not_come_round_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it waits for, except a server."""
    made = parts(AilingLog(), MemoryStore())
    async with running(made) as worker:
        await eventually(lambda: not worker.missing())
        later = time.monotonic() + made.settings.stall_seconds + 1
        with monkeypatch.context() as patched:
            patched.setattr("consumer.health.time.monotonic", lambda: later)
            assert not worker.alive()
        assert worker.alive()


async def test_mongodb_away_for_longer_than_a_fail_over_makes_unready(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the log has two lines, however many partitions wait."""
    monkeypatch.setattr(health, "READY_SECONDS", 0.05)
    monkeypatch.setattr(outage, "STEADY_SECONDS", 0.5)
    log, store = AilingLog(2), FlakyStore()
    with capture_logs() as lines:
        async with running(parts(log, store)) as worker:
            await eventually(lambda: not worker.missing())
            store.fail_before = 1_000_000
            log.append(0, one(0))
            log.append(1, one(0, request_id=7))
            await eventually(lambda: what(worker) == ["mongodb"])
            assert worker.alive()
            store.fail_before = 0
            await eventually(lambda: applied(store) == applied(store, 1) == 1)
            await eventually(lambda: not worker.missing())
            await eventually(lambda: any(line["event"] == "mongodb_back" for line in lines))
    told = [line["event"] for line in lines if line["event"].startswith(("mongodb", "kafka"))]
    assert ["mongodb_lost", "mongodb_back"] == told


async def test_an_outage_that_only_the_client_has_noticed_makes_unready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call to a frozen MongoDB takes longer to fail than the client takes to notice it."""
    made = parts(AilingLog(), MemoryStore())
    async with running(made) as worker:
        await eventually(lambda: not worker.missing())
        made.outages["mongodb"].lost("primary", "no answer in time", 8)
        assert not worker.missing()
        monkeypatch.setattr(health, "READY_SECONDS", 7)
        assert ["mongodb"] == what(worker)
        assert worker.alive()
        made.outages["mongodb"].back("primary")
        assert not worker.missing()


async def test_a_member_that_its_group_has_lost_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at once: groups rebalance often."""
    log = AilingLog()
    async with running(parts(log, MemoryStore())) as worker:
        await eventually(lambda: not worker.missing())
        log.member = False
        assert not worker.missing()
        monkeypatch.setattr(health, "READY_SECONDS", 0)
        assert "group" in what(worker)


def other(offset: int) -> Record:
    """Another record than `one` at the same offset."""
    return sealed(offset, batch(period(update()), request_id="999"), request_id=999)


def stopped(store: MemoryStore) -> str:
    return str(store.collections[CHECKPOINTS]["r1/00"].get("stopped", ""))


async def test_after_an_election_the_same_log_is_read_on() -> None:
    """Nothing counts twice, and nothing is lost."""
    log, store = MemorySource(1, TOPIC), MemoryStore()
    log.append(0, one(0))
    async with running(parts(log, store)):
        await eventually(lambda: applied(store) == 1)
        log.elect(0)
        log.append(0, one(1))
        await eventually(lambda: applied(store) == 2)
        assert "" == stopped(store)
    assert 2 == total(store)


async def test_after_an_unclean_election_another_log_stops_the_partition() -> None:
    """What is behind the position must not be counted as its continuation."""
    log, store = MemorySource(1, TOPIC), MemoryStore()
    log.append(0, one(0))
    async with running(parts(log, store)):
        await eventually(lambda: applied(store) == 1)
        log.records[0] = [other(0), one(1)]
        log.elect(0)
        await eventually(lambda: "is not the one that was applied there" in stopped(store))
    assert (1, 1) == (applied(store), total(store))


async def test_lost_offsets_are_counted_and_named() -> None:
    """Retention was faster than the worker."""
    log, store = MemorySource(1, TOPIC), MemoryStore()
    made = parts(log, store)
    log.begins[0] = 43
    labels = {"api": "games", "partition": "0"}
    with capture_logs() as lines:
        async with running(made):
            await eventually(lambda: sample(made.metrics.registry, "tallymill_worker_lost_offsets", **labels) == 43)
            await eventually(lambda: bool(stopped(store)))
    (line,) = [line for line in lines if line["log_level"] == "error"]
    assert "offsets 0 to 42 were removed" in line["reason"]


async def test_a_kept_partition_is_flushed_on_while_the_share_changes() -> None:
    """Its flusher, its position and the flush in flight are left alone."""
    log, store = MemorySource(3, TOPIC), FlakyStore()
    store.gate.clear()
    log.append(0, one(0))
    async with running(parts(log, store)) as worker:
        await eventually(lambda: store.entered == 1)
        kept = worker._flushers[0]
        log.rebalance([0, 1])
        await eventually(lambda: worker._flushers.keys() == {0, 1})
        log.rebalance([0, 2])
        await eventually(lambda: worker._flushers.keys() == {0, 2})
        assert worker._flushers[0] is kept
        assert kept._in_flight is not None
        assert not kept._closing.is_set()
        store.gate.set()
        await eventually(lambda: applied(store) == 1)
        log.append(0, one(1))
        await eventually(lambda: applied(store) == 2)
        assert worker._flushers[0] is kept
    assert 2 == store.entered


async def test_a_partition_that_comes_back_while_it_is_given_up_is_taken_over_again() -> None:
    """Once its last flush has ended: never two flushers of one partition."""
    log, store = MemorySource(1, TOPIC), FlakyStore()
    store.gate.clear()
    log.append(0, one(0))
    async with running(parts(log, store)) as worker:
        await eventually(lambda: store.entered == 1)
        first = worker._flushers[0]
        log.rebalance([])
        log.rebalance([0])
        assert ["partitions"] == what(worker)
        store.gate.set()
        await eventually(lambda: worker._flushers.get(0, first) is not first)
        log.append(0, one(1))
        await eventually(lambda: applied(store) == 2)


class UnknownStore(FlakyStore):
    async def lineage(self, topic: Any) -> str:  # noqa: ANN401 the same as the store's
        if self.fail_before:
            self.fail_before -= 1
            raise Unavailable("MongoDB: away")
        return await super().lineage(topic)


async def test_what_is_new_waits_for_mongodb_and_what_is_held_does_not() -> None:
    """A partition lost meanwhile is never taken over."""
    log, store = MemorySource(3, TOPIC), UnknownStore()
    async with running(parts(log, store)) as worker:
        await eventually(lambda: not worker.missing())
        log.rebalance([0])
        await eventually(lambda: worker._flushers.keys() == {0})
        store.fail_before = 5
        log.rebalance([0, 1])
        log.rebalance([0, 2])
        await eventually(lambda: worker._flushers.keys() == {0, 2})


async def test_a_share_that_comes_again_gives_each_partition_up_once() -> None:
    """While its last flush is waited for; also once the worker stops."""
    log, store = MemorySource(2, TOPIC), FlakyStore()
    store.gate.clear()
    async with running(parts(log, store)) as worker:
        await eventually(lambda: not worker.missing())
        for partition in range(2):
            log.append(partition, one(0, request_id=partition + 1))
        await eventually(lambda: store.entered == 2)
        for _ in range(2):
            log.rebalance([1])
            await asyncio.sleep(0.01)
        worker.stop()
        await eventually(lambda: worker._holdings._is_closed)
        log.rebalance([])
        await asyncio.sleep(0.01)
        store.gate.set()
    assert not worker._flushers
    assert 2 == total(store)
    worker._holdings.raise_failure()
