"""Brokers hang and move while a worker runs: what it counts, and what it reports."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from consumer.config import WorkerSettings
from consumer.kafka.reader import KafkaSource
from consumer.memory import MemoryStore
from ops.local.servers.ports import any_free
from schemas.settings import KafkaSettings
from tests.consumer.parts import eventually, parts, running
from tests.consumer.processes import WorkerProcess, workers
from tests.consumer.sums import counting, send, until_applied
from tests.consumer.test_process import get
from tests.consumer.test_worker import one, total
from tests.kafka.brokers import Broker, Cluster, cluster, lone_broker
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place
from tests.servers import Servers

pytestmark = pytest.mark.real

# What a frozen broker may hold its partitions up; the cluster of these tests elects another leader after 4 s.
HELD_UP_SECONDS = 15

# What it may hold up the partitions of others.
OTHERS_HELD_UP_SECONDS = 5


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with lone_broker(tmp_path / "broker") as started:
        yield started


async def until_answer(worker: WorkerProcess, path: str, status: int, *words: str) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while (answer := await get(worker.port, path))[0] != status or any(word not in answer[1] for word in words):
        assert time.monotonic() < give_up, answer
        await asyncio.sleep(0.1)


def events(worker: WorkerProcess, *names: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in worker.said().splitlines()]
    return [line for line in lines if line["event"] in names]


async def says_kafka_is_lost(worker: WorkerProcess, reason: str) -> None:
    """It is not ready and says why, its lag is unknown, and a restart would not help."""
    await until_answer(worker, "/readyz", 503, '"kafka"', reason)
    assert (200, '{"alive": true}') == await get(worker.port, "/livez")
    status, metrics = await get(worker.port, "/metrics")
    assert 200 == status
    assert "tallymill_worker_lag_records{" not in metrics


@asynccontextmanager
async def counted(where: Place, folder: Path) -> AsyncIterator[WorkerProcess]:
    """A worker that has counted ten records."""
    await send(where.settings, [counting(0, number) for number in range(10, 20)])
    with workers(folder, where.settings) as started:
        worker = started.start()
        await until_applied(where, 10)
        await until_answer(worker, "/readyz", 200)
        yield worker


async def counts_on(where: Place, worker: WorkerProcess) -> None:
    """New records count. It is ready, and has logged one line when the outage began and one when it ended."""
    await send(where.settings, [counting(0, number) for number in range(20, 30)])
    await until_applied(where, 20)
    await until_answer(worker, "/readyz", 200)
    await worker.says('"kafka_back"')
    assert ["kafka_lost", "kafka_back"] == [line["event"] for line in events(worker, "kafka_lost", "kafka_back")]
    assert "Traceback" not in worker.said()


async def test_a_broker_that_comes_back_at_another_address_is_read_on(
    servers: Servers, broker: Broker, tmp_path: Path
) -> None:
    """What the client knew of the cluster is gone for good; only bootstrap_servers names the new address."""
    other = any_free()
    both = Servers(f"{broker.address()},127.0.0.1:{other}", servers.mongodb)
    async with place(both, partitions=1) as where, counted(where, tmp_path) as worker:
        await asyncio.to_thread(broker.stop)
        await says_kafka_is_lost(worker, "connection refused")
        broker.ports["INSIDE"] = other
        await asyncio.to_thread(broker.start)
        await asyncio.to_thread(broker.wait)
        await counts_on(where, worker)


async def test_a_frozen_broker_is_lost_and_back_and_never_no_lag(
    servers: Servers, broker: Broker, tmp_path: Path
) -> None:
    """Its connections stand all the while: only answers tell."""
    its_own = Servers(broker.address(), servers.mongodb)
    async with place(its_own, partitions=1) as where, counted(where, tmp_path) as worker:
        with broker.frozen():
            await says_kafka_is_lost(worker, "answer")
        await counts_on(where, worker)


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tmp_path / "cluster") as started:
        yield started


async def made_topic(three: Cluster, topic: str) -> dict[int, int]:
    """Two partitions with three replicas, led by two brokers. Returns the leaders."""
    admin = AIOKafkaAdminClient(bootstrap_servers=three.addresses)
    await admin.start()
    try:
        assignment = {0: [1, 2, 3], 1: [2, 3, 1]}
        await admin.create_topics([NewTopic(topic, -1, -1, replica_assignments=assignment)])
    finally:
        await admin.close()
    return {partition: replicas[0] for partition, replicas in assignment.items()}


async def produced(addresses: str, topic: str, partition: int, offset: int) -> None:
    """With a new producer, retried until acknowledged. Each has its own id and counts once."""
    record = one(offset, request_id=1 + 10 * partition + offset)
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        producer = AIOKafkaProducer(bootstrap_servers=addresses, request_timeout_ms=2_000, enable_idempotence=True)
        try:
            await producer.start()
            sending = await producer.send(
                topic, record.value, key=record.key, headers=list(record.headers), partition=partition
            )
            await asyncio.wait_for(sending, 2)
        except (KafkaError, TimeoutError):
            assert time.monotonic() < give_up
            await asyncio.sleep(0.1)
        else:
            return
        finally:
            await producer.stop()


@pytest.mark.faults
async def test_a_frozen_leader_holds_up_its_own_partitions_and_those_for_fifteen_seconds_at_most(
    three: Cluster, tmp_path: Path
) -> None:
    """The worker hears of the new leader though the old one never answers; the other partition is counted on."""
    assert tmp_path
    kafka = KafkaSettings(bootstrap_servers=three.addresses)
    topic = kafka.records_topic
    leaders = await made_topic(three, topic)
    store = MemoryStore()
    frozen = next(broker for broker in three.brokers if broker.identity == leaders[0])
    others = ",".join(broker.address() for broker in three.brokers if broker is not frozen)
    async with running(parts(KafkaSource(kafka, WorkerSettings()), store)):
        for partition in leaders:
            await produced(three.addresses, topic, partition, 0)
        await eventually(lambda: total(store) == 2)
        with frozen.frozen():
            begun = time.monotonic()
            await produced(others, topic, 1, 1)
            await eventually(lambda: total(store) == 3)
            assert time.monotonic() - begun < OTHERS_HELD_UP_SECONDS
            await produced(others, topic, 0, 1)
            await eventually(lambda: total(store) == 4)
            assert time.monotonic() - begun < HELD_UP_SECONDS
