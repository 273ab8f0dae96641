"""The wait for the workers, and their lag (G14, G15, G17)."""

import asyncio

from ingress.delivery.read_your_writes import LAG_FRESH_SECONDS, CheckpointWatch
from ingress.delivery.waiters import NOTHING_KNOWN, Lag, WaitResult
from ingress.memory import MemoryStore
from ingress.ports import Rejection
from schemas.coordinates import Coordinates, PartitionId
from tests.clock import TestClock

AT = Coordinates("r1", 3, 100)
NEXT = Coordinates("r1", 3, 101)


def watch() -> tuple[CheckpointWatch, MemoryStore, TestClock]:
    store, clock = MemoryStore(), TestClock()
    return CheckpointWatch(store, clock), store, clock


async def waiting(
    one: CheckpointWatch, at: Coordinates, actor: str = "demo/ann", seconds: float = 60
) -> asyncio.Task[WaitResult]:
    task = asyncio.create_task(one.wait(at, actor, seconds))
    await asyncio.sleep(0)
    return task


async def test_g14_a_waiter_is_told_when_the_checkpoint_passes_it_and_not_before() -> None:
    one, store, _ = watch()
    first, second = await waiting(one, AT), await waiting(one, NEXT)
    await one.poll()
    assert one.waiting == 2
    store.count(AT, "demo/ann", {"A": 3})
    await one.poll()
    assert await first == WaitResult(passed=True, totals={"A": 3})
    assert one.waiting == 1
    second.cancel()


async def test_g15_the_exceptions_at_the_waiting_coordinates_are_told() -> None:
    one, store, _ = watch()
    task = await waiting(one, AT)
    store.pass_over(AT, Rejection("duplicate", "SAME_PAYLOAD"))
    await one.poll()
    assert await task == WaitResult(passed=True, rejection=Rejection("duplicate", "SAME_PAYLOAD"))


async def test_one_round_costs_one_query_of_each_kind_however_many_wait() -> None:
    one, store, _ = watch()
    tasks = [await waiting(one, Coordinates("r1", n % 4, n), f"demo/p{n}") for n in range(40)]
    for n in range(40):
        store.count(Coordinates("r1", n % 4, n), f"demo/p{n}", {"A": n})
    await one.poll()
    assert [(await task).totals["A"] for task in tasks] == list(range(40))
    assert store.reads == {"checkpoints": 1, "totals": 1, "rejections": 1}


async def test_g15_out_of_time_means_the_totals_known_and_not_passed() -> None:
    one, store, _ = watch()
    store.players["demo/ann"] = {"A": 2}
    task = await waiting(one, AT, seconds=0)
    await one.poll()
    assert await task == WaitResult(totals={"A": 2})


async def test_another_lineage_of_the_same_offsets_passes_nobody() -> None:
    one, store, _ = watch()
    store.next_offsets[PartitionId("r2", 3)] = 1_000
    task = await waiting(one, AT)
    await one.poll()
    assert one.waiting == 1
    task.cancel()


async def test_mongodb_away_means_not_known_at_once_until_it_is_back() -> None:
    one, store, _ = watch()
    store.away = True
    task = await waiting(one, AT)
    await one.poll()
    assert await task == NOTHING_KNOWN
    assert await one.wait(AT, "demo/ann", 60) == NOTHING_KNOWN
    store.away = False
    store.count(AT, "demo/ann", {"A": 1})
    one.acked(AT)
    await one.poll()
    back = await waiting(one, AT)
    await one.poll()
    assert await back == WaitResult(passed=True, totals={"A": 1})


async def test_the_return_of_mongodb_is_noticed_although_nobody_waits() -> None:
    one, store, _ = watch()
    one.acked(AT)
    store.away = True
    await one.poll()
    store.away = False
    store.count(AT, "demo/ann", {"A": 1})
    running = asyncio.create_task(one.run())
    while not store.reads.get("checkpoints", 0) > 1:  # noqa: ASYNC110 the store has no event
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await one.wait(AT, "demo/ann", 60) == WaitResult(passed=True, totals={"A": 1})
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_mongodb_gone_between_checkpoint_and_totals_means_not_known() -> None:
    class Half(MemoryStore):
        async def totals(self, actors):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 as its base
            self.away = True
            return await super().totals(actors)

    store = Half()
    one = CheckpointWatch(store, TestClock())
    store.count(AT, "demo/ann", {"A": 1})
    task = await waiting(one, AT)
    await one.poll()
    assert await task == NOTHING_KNOWN


async def test_g17_the_lag_is_known_only_while_the_checkpoints_can_be_read() -> None:
    one, store, clock = watch()
    assert one.lag_seconds() == 0
    one.acked(AT)
    assert one.lag_seconds() is None
    clock.skipped_seconds += 10
    await one.poll()
    assert 10 == one.lag_seconds()
    clock.skipped_seconds += LAG_FRESH_SECONDS + 1
    assert one.lag_seconds() is None
    store.count(AT, "demo/ann", {})
    await one.poll()
    assert one.lag_seconds() == 0


def lag_of(*acked: tuple[int, float]) -> Lag:
    lag = Lag()
    for offset, at in acked:
        lag.acked(Coordinates("r1", 0, offset), at)
    return lag


def test_the_lag_is_the_age_of_the_oldest_record_not_passed() -> None:
    lag = lag_of((0, 0), (1, 5), (2, 5.1), (3, 9))
    assert lag.seconds(10) == 10
    lag.passed({PartitionId("r1", 0): 1})
    assert lag.seconds(10) == 5
    lag.passed({PartitionId("r1", 0): 3})
    assert lag.seconds(10) == 1
    lag.passed({PartitionId("r1", 0): 4})
    assert lag.seconds(10) == 0
    assert len(lag) == 0


def test_the_newest_record_is_tracked_even_if_it_is_no_sample() -> None:
    lag = lag_of((0, 0), (1, 0.5))
    lag.passed({PartitionId("r1", 0): 1})
    assert lag.seconds(10) == 9.5


def test_many_records_cost_a_sample_a_second() -> None:
    lag = lag_of(*((n, n / 100) for n in range(1_000)))
    assert len(lag._tracks[0].samples) == 10


def test_a_new_lineage_ends_the_lag_of_the_old() -> None:
    lag = lag_of((7, 0))
    lag.acked(Coordinates("r2", 0, 0), 9)
    assert lag.seconds(10) == 1


async def test_g17_what_a_lineage_left_behind_is_no_lag_of_the_next_one() -> None:
    """No worker reads it any more. If only an ack forgot it, senders who are refused for the lag would send none."""
    store, clock, lineages = MemoryStore(), TestClock(), ["r1"]
    one = CheckpointWatch(store, clock, lambda: lineages[-1])
    one.acked(AT)
    clock.skipped_seconds += 4_000
    await one.poll()
    assert one.lag_seconds() == one.lag_seconds(AT.partition) == 4_000
    lineages.append("r2")
    await one.poll()
    assert one.lag_seconds() == one.lag_seconds(AT.partition) == 0


def test_g17_acks_come_in_any_order() -> None:
    """The record that lies furthest behind in the log is not passed because an earlier one was acknowledged last."""
    lag = Lag()
    lag.acked(NEXT, 10.0)
    lag.acked(AT, 10.1)
    lag.passed({AT.partition_id: NEXT.offset})
    assert 5.0 == lag.seconds(15.0)
    lag.passed({AT.partition_id: NEXT.offset + 1})
    assert 0 == len(lag)
