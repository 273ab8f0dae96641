"""Producers' transactions: their markers after the last record are no lag, and no loss when they are removed."""

from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from ops.verify import command
from tests.consumer.kafka.test_positions_real import remove_below
from tests.consumer.processes import WorkerProcess, workers
from tests.consumer.sums import Sent, assert_exact, checkpoints, counting, send, send_with
from tests.consumer.test_process import get, until_it_says
from tests.ops.running import Output, told, until, use
from tests.real import Place, place
from tests.servers import Servers

pytestmark = pytest.mark.real


def producer_of(where: Place) -> AIOKafkaProducer:
    kafka = where.settings.kafka
    return AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id=kafka.records_topic)


async def in_transaction(where: Place, sent: list[Sent]) -> None:
    async with producer_of(where) as producer, producer.transaction():
        await send_with(producer, where.settings.kafka.records_topic, sent)


async def nothing_lags(worker: WorkerProcess) -> None:
    await until_it_says(worker.port, "/metrics", 'lag_records{api="games",partition="0"} 0.0')
    assert (await get(worker.port, "/livez"))[0] == 200


async def test_a_commit_marker_at_the_end_is_passed_over_and_may_be_removed(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """Removed by retention while no worker runs: the next one reads on, and counts what comes after."""
    async with place(servers, partitions=1) as where:
        use(where.settings, tmp_path, monkeypatch)
        first, second = [counting(0, 10), counting(0, 11)], [counting(0, 12)]
        with workers(tmp_path, where.settings) as started:
            worker = started.start()
            await in_transaction(where, first)
            await until(where, lambda found: bool(found) and found["r1/00"]["next"] == 3)
            await nothing_lags(worker)
        await remove_below(where, 0, 3)
        await send(where.settings, second)
        with workers(tmp_path, where.settings) as started:
            started.start()
            await until(where, lambda found: found["r1/00"]["next"] == 4)
        await assert_exact(where, first + second, gaps=1)
        assert "stopped" not in (await checkpoints(where))["r1/00"]
        report = await told(capsys, 0, command.verify(as_json=True))
        assert 0 == report["differences"]


async def test_an_open_transaction_is_no_lag_and_what_is_behind_it_comes_when_it_ends(
    servers: Servers, tmp_path: Path
) -> None:
    """The worker is alive meanwhile, and reports how much waits."""
    async with place(servers, partitions=1) as where:
        before, aborted, behind = [counting(0, 10)], [counting(0, 11)], [counting(0, 12)]
        await send(where.settings, before)
        with workers(tmp_path, where.settings) as started:
            worker = started.start(worker__stall_seconds=0.2)
            await until(where, lambda found: bool(found) and found["r1/00"]["next"] == 1)
            async with producer_of(where) as producer:
                await producer.begin_transaction()
                await send_with(producer, where.settings.kafka.records_topic, aborted)
                await send(where.settings, behind)
                await until_it_says(worker.port, "/metrics", 'uncommitted_offsets{api="games",partition="0"} 2.0')
                await nothing_lags(worker)
                await producer.abort_transaction()
            await until(where, lambda found: found["r1/00"]["next"] == 4)
            await nothing_lags(worker)
        await assert_exact(where, before + behind, gaps=2)


async def test_aborted_records_at_the_end_are_passed_over(servers: Servers, tmp_path: Path) -> None:
    """Of a partition that holds nothing else, too."""
    async with place(servers, partitions=1) as where:
        async with producer_of(where) as producer:
            await producer.begin_transaction()
            await send_with(producer, where.settings.kafka.records_topic, [counting(0, 10), counting(0, 11)])
            await producer.abort_transaction()
        with workers(tmp_path, where.settings) as started:
            worker = started.start()
            await until(where, lambda found: bool(found) and found["r1/00"]["next"] == 3)
            await nothing_lags(worker)
        await assert_exact(where, [], gaps=3)
