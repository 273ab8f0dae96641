"""A log that was cut assigns its offsets again: no answer about the old record is given for the new one."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from ingress.delivery import read_your_writes
from ingress.delivery.read_your_writes import CheckpointWatch
from ingress.delivery.waiters import WaitResult
from ingress.memory import MemoryStore
from ingress.ports import Position, Rejection
from schemas.checkpoints import CLOCKS_DIFFER_MILLIS, has_passed
from schemas.coordinates import Coordinates, PartitionId
from schemas.records.receipt import Receipt, issue_receipt, read_receipt
from tests.clock import TestClock
from tests.ingress.rig import NOW, SIGNING, Rig, period, update
from tests.patience import PATIENCE_SECONDS

AT = Coordinates("r1", 3, 100)
DUPLICATE = Rejection("duplicate", "ALREADY_UPDATED", at_millis=NOW)


async def seen(store: MemoryStore, append_millis: int | None) -> WaitResult:
    watch = CheckpointWatch(store, TestClock())
    waiting = asyncio.create_task(watch.wait(AT, "demo/ann", 60, append_millis))
    await asyncio.sleep(0)
    await watch.poll()
    return await waiting


async def test_an_exception_of_another_record_at_the_same_coordinates_is_not_believed() -> None:
    """The new record's fate is unknown: it is not counted. Without a time of the broker the exception is believed."""
    store = MemoryStore()
    store.pass_over(AT, DUPLICATE)
    assert WaitResult(passed=True, rejection=DUPLICATE) == await seen(store, NOW)
    assert WaitResult(passed=True, rejection=DUPLICATE) == await seen(store, None)
    assert WaitResult(reused=True) == await seen(store, NOW + 1)
    store.pass_over(AT, timeless := Rejection("duplicate", "ALREADY_UPDATED"))
    assert WaitResult(passed=True, rejection=timeless) == await seen(store, NOW)


async def test_a_record_below_what_was_counted_before_it_was_sent_is_answered_503(rig: Rig) -> None:
    """No OK, which could be false, and no receipt, but a metric. A retry behind the checkpoint is a new request."""
    rig.worker.rests = True
    await rig.record(period(update()), prefer="respond-async")
    partition = PartitionId("r1", rig.topic.records[0].partition)
    rig.store.next_offsets[partition] = 3
    rig.games.watch.acked(Coordinates("r1", partition.partition, 0))
    await rig.games.watch.poll()
    with capture_logs() as lines:
        for times in (1, 2):
            answer = await rig.record(period(update()), request_id="8")
            assert (503, times) == (answer.status, rig.metric("reused_offsets_total", api="games"))
            assert "retry-after" in answer.headers
            assert "tallymill-receipt" not in answer.headers
    assert [("log_truncated", str(partition), 1)] == [(one["event"], one["partition"], one["offset"]) for one in lines]
    answer = await rig.record(period(update()), request_id="8", prefer="respond-async")
    assert (200, 2) == (answer.status, rig.metric("reused_offsets_total", api="games"))


async def test_the_first_record_after_a_start_is_compared_with_a_checkpoint_too() -> None:
    """It waits for the first read. Read after the send, the checkpoint would have passed it: OK, and never counted."""
    one = Rig()
    one.worker.rests = True
    one.store.next_offsets = {PartitionId("r1", number): 3 for number in range(4)}
    await one.definitions.preload()
    running = asyncio.create_task(one.games.watch.run())
    await asyncio.sleep(0)  # its first round is over before the lineage is known
    await one.games.lineage.read()
    answer = await one.record(period(update()))
    assert (503, 1) == (answer.status, one.metric("reused_offsets_total", api="games"))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("away", [True, False])
async def test_the_first_record_after_a_start_waits_no_longer_than_a_read_may_take(
    monkeypatch: pytest.MonkeyPatch, *, away: bool
) -> None:
    """MongoDB that is unavailable, or silent, keeps no record from Kafka."""
    monkeypatch.setattr(read_your_writes, "READ_GRACE_SECONDS", 0.02 if not away else PATIENCE_SECONDS)
    store = MemoryStore()
    store.away = away
    if not away:
        monkeypatch.setattr(store, "checkpoints", lambda _lineages: asyncio.Event().wait())
    watch = CheckpointWatch(store, TestClock(), lambda: "r1")
    running = asyncio.create_task(watch.run())
    async with asyncio.timeout(PATIENCE_SECONDS / 4):
        assert {} == await watch.before_sending("r1")
    assert not watch.has_read("r1")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_checkpoint_read_after_the_send_proves_nothing(rig: Rig) -> None:
    """A worker that is quicker than the ack has counted it."""
    rig.worker.rests = True
    await rig.record(period(update()), prefer="respond-async")
    rig.store.next_offsets[PartitionId("r1", rig.topic.records[0].partition)] = 3
    answer = await rig.record(period(update()), request_id="8", prefer="respond-async")
    assert (200, 0) == (answer.status, rig.metric("reused_offsets_total", api="games"))


async def test_a_checkpoint_that_is_read_while_the_ack_is_on_its_way_proves_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not younger than the send."""
    publish = rig.topic.publish

    async def acked_late(*record: Any) -> Position | None:  # noqa: ANN401 as it is published
        """The record is counted, and the checkpoint read, before the ack is here."""
        position = await publish(*record)
        assert position
        await rig.games.watch.poll()
        assert position.offset < rig.games.watch.checkpoints[PartitionId("r1", position.partition)]
        return position

    await rig.record(period(update()))  # from here on the lineage's checkpoints are read
    monkeypatch.setattr(rig.topic, "publish", acked_late)
    waiting = asyncio.create_task(rig.games.watch.wait(Coordinates("r1", 0, 1_000), None, 60))
    await asyncio.sleep(0)
    answer = await rig.record(period(update()), request_id="8", prefer="respond-async")
    waiting.cancel()
    assert (200, 0) == (answer.status, rig.metric("reused_offsets_total", api="games"))


async def test_a_record_whose_coordinates_have_another_ones_exception_is_answered_503(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint has passed the old record, not this one."""
    rig.worker.rests = True
    publish = rig.topic.publish

    async def stamped(*record: Any) -> Position | None:  # noqa: ANN401 as it is published
        position = await publish(*record)
        assert position
        at = Coordinates("r1", position.partition, position.offset)
        rig.store.pass_over(at, DUPLICATE)
        return position._replace(append_millis=NOW + 1)

    monkeypatch.setattr(rig.topic, "publish", stamped)
    with capture_logs() as lines:
        answer = await rig.record(period(update()))
    assert (503, 1) == (answer.status, rig.metric("reused_offsets_total", api="games"))
    assert "tallymill-receipt" not in answer.headers
    assert ["log_truncated"] == [line["event"] for line in lines]


async def test_the_checkpoints_of_the_lineage_in_force_are_read_though_nobody_waits() -> None:
    """Or the first record after the log was cut would go unnoticed."""
    store = MemoryStore()
    store.next_offsets[AT.partition_id] = 101
    watch = CheckpointWatch(store, TestClock(), lambda: "r1")
    assert {} == watch.checkpoints
    running = asyncio.create_task(watch.run())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not watch.checkpoints:  # noqa: ASYNC110 the store has no event
            await asyncio.sleep(0)
    assert {AT.partition_id: 101} == watch.checkpoints
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_lineage_that_becomes_known_is_read_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if no request waits: not only when an idle watch would read again."""
    monkeypatch.setattr(read_your_writes, "TRACK_SECONDS", 0.001)
    monkeypatch.setattr(read_your_writes, "IDLE_SECONDS", 10 * PATIENCE_SECONDS)
    store, lineages = MemoryStore(), list[str]()
    store.next_offsets[AT.partition_id] = 101
    watch = CheckpointWatch(store, TestClock(), lambda: lineages[0] if lineages else None)
    running = asyncio.create_task(watch.run())
    await asyncio.sleep(0.01)
    assert {} == watch.checkpoints
    lineages.append("r1")
    async with asyncio.timeout(PATIENCE_SECONDS / 4):
        while not watch.checkpoints:  # noqa: ASYNC110 the store has no event
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_receipt_holds_the_time_that_its_record_has_in_the_log(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = rig.topic.publish

    async def stamped(*record: Any) -> Position | None:  # noqa: ANN401 as it is published
        position = await publish(*record)
        return position and position._replace(append_millis=NOW + 7)

    monkeypatch.setattr(rig.topic, "publish", stamped)
    answer = await rig.record(period(update()))
    assert NOW + 7 == read_receipt(answer.headers["tallymill-receipt"], SIGNING).append_millis


async def test_a_receipt_is_of_the_record_that_came_then(rig: Rig) -> None:
    """Pending while its lineage is current, then gone. It never shows the fate of the old record."""
    rig.store.pass_over(AT, DUPLICATE)
    for append_millis, state in ((NOW, "duplicate"), (None, "duplicate"), (NOW + 7, "pending")):
        text = issue_receipt(Receipt(AT, NOW, append_millis), SIGNING)
        assert Receipt(AT, NOW, append_millis) == read_receipt(text, SIGNING)
        assert state == (await rig.call("GET", f"/v1/receipts/{text}")).json["state"]
    rig.store.lineage = "r2"
    assert 410 == (await rig.call("GET", f"/v1/receipts/{text}")).status


@pytest.mark.parametrize(
    ("expected", "offset", "append_millis"),
    [
        (False, 12, NOW),
        (True, 9, NOW),
        (True, 5, NOW - 1),
        (True, 5, None),
        (True, 5, NOW + CLOCKS_DIFFER_MILLIS),
        (False, 5, NOW + CLOCKS_DIFFER_MILLIS + 1),
        (True, 11, NOW + CLOCKS_DIFFER_MILLIS + 1),
    ],
)
def test_records_come_in_order_so_a_younger_one_has_not_been_passed(
    *, expected: bool, offset: int, append_millis: int | None
) -> None:
    """If younger by more than two leaders' clocks may differ. Behind the last applied record nothing is known."""
    checkpoint = {"next": 12, "last": {"offset": 9, "timestamp": NOW, "crc": 1}}
    assert expected == has_passed(checkpoint, offset, append_millis)
    assert has_passed({"next": 12, "last": None}, 5, append_millis)
