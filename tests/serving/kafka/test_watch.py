"""One look a process: whom it asks, whom it teaches, and what no longer waits for a broker that is gone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.protocol.metadata import MetadataResponse_v1

from schemas.settings import KafkaSettings
from serving.kafka import watch as kafka_watch
from serving.kafka.connecting import connect_side_by_side
from serving.kafka.watch import KafkaWatch, teach
from serving.outage import Outage
from tests.patience import PATIENCE_SECONDS

Address = tuple[str, int]


def cluster_of(brokers: dict[int, Address], topics: Sequence[str] = ()) -> MetadataResponse_v1:
    """Metadata: each topic has one partition, which the first broker leads."""
    first, *_ = brokers
    described = [(0, topic, False, [(0, 0, first, [first], [first])]) for topic in topics]
    return MetadataResponse_v1([(node, *address, None) for node, address in brokers.items()], first, described)


class Kafka:
    """Stands in for the cluster: who was asked, over a new connection or one that was kept."""

    def __init__(self) -> None:
        self.new: list[list[str]] = []
        self.kept: list[list[str]] = []
        self.closed = 0
        self.kept_is_silent = False

    async def first_answer(self, _kafka: object, topics: Sequence[str], _known: object) -> tuple[Address, Any]:
        self.new.append(list(topics))
        await asyncio.sleep(0)
        return ("a", 1), cluster_of({1: ("a", 1)}, topics)

    def connection(self, address: Address) -> "Kafka":
        assert address == ("a", 1)
        return self

    async def metadata(self, _kafka: object, topics: Sequence[str], _seconds: float) -> Any:  # noqa: ANN401 aiokafka has no types
        if self.kept_is_silent:
            raise TimeoutError
        self.kept.append(list(topics))
        return cluster_of({1: ("a", 1)}, topics)

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    made = Kafka()
    monkeypatch.setattr(kafka_watch, "first_answer", made.first_answer)
    monkeypatch.setattr(kafka_watch, "KeptConnection", made.connection)
    return made


@pytest.fixture
def watch() -> KafkaWatch:
    return KafkaWatch(KafkaSettings(), Outage("kafka"))


async def next_look(watch: KafkaWatch) -> None:
    watch._due = 0.0
    await watch.look()


async def test_one_look_teaches_the_clients_of_both_topics(kafka: Kafka, watch: KafkaWatch) -> None:
    clients = AIOKafkaClient(), AIOKafkaClient()
    watch.follow("games", lambda: clients[:1])
    watch.follow("analytics", lambda: clients[1:])
    await asyncio.gather(watch.look(), watch.look())
    await watch.look()
    assert [["games", "analytics"]] == kafka.new
    assert [] == kafka.kept
    assert watch.reached
    for client in clients:
        assert {0} == client.cluster.partitions_for_topic("games")
        assert {0} == client.cluster.partitions_for_topic("analytics")


async def test_the_broker_that_answered_is_asked_again_over_the_same_connection(
    kafka: Kafka, watch: KafkaWatch
) -> None:
    watch.follow("games", tuple)
    for _ in range(3):
        await next_look(watch)
    assert (1, 2) == (len(kafka.new), len(kafka.kept))
    kafka.kept_is_silent = True
    await next_look(watch)
    assert (2, 2) == (len(kafka.new), len(kafka.kept))
    assert watch.reached
    await watch.close()
    assert 1 == kafka.closed


@asynccontextmanager
async def silent_broker() -> AsyncIterator[Address]:
    """Takes connections, and says nothing: as a frozen one."""
    ended = asyncio.Event()

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield host, port
    finally:
        ended.set()
        server.close()
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=PATIENCE_SECONDS)


async def until_connecting(waiting: "asyncio.Task[Any]") -> None:
    for _ in range(20):
        await asyncio.sleep(0.01)
    assert not waiting.done()


async def test_nobody_waits_for_a_connection_to_a_broker_that_the_cluster_has_given_up() -> None:
    """Nor where the client had heard of it by itself."""
    async with silent_broker() as frozen:
        client = AIOKafkaClient(request_timeout_ms=1_000 * int(2 * PATIENCE_SECONDS))
        connect_side_by_side(client)
        both, left = cluster_of({1: ("127.0.0.1", 1), 2: frozen}), cluster_of({1: ("127.0.0.1", 1)})
        for heard_before in (False, True):
            teach(client, both)
            waiting = asyncio.create_task(client._get_conn(2))
            await until_connecting(waiting)
            teach(client, both)
            assert not waiting.done()
            if heard_before:
                client.cluster.update_metadata(left)
            teach(client, left)
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await waiting is None


async def test_one_connection_is_not_waited_for_by_another() -> None:
    """Aiokafka's lock is one for all brokers."""
    async with silent_broker() as frozen:
        client = AIOKafkaClient(request_timeout_ms=1_000 * int(2 * PATIENCE_SECONDS))
        connect_side_by_side(client)
        teach(client, cluster_of({1: ("127.0.0.1", 1), 2: frozen}))
        waiting = asyncio.create_task(client._get_conn(2))
        await until_connecting(waiting)
        again = asyncio.create_task(client._get_conn(2, group=ConnectionGroup.DEFAULT))
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await client._get_conn(1) is None  # refused
        assert not waiting.done()
        assert not again.done()
