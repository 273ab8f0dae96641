"""New metadata once for all clients: who is asked, who gets it, and what no longer waits for a broker that is gone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.protocol.metadata import MetadataResponse_v1
from structlog.testing import capture_logs

from schemas.settings import KafkaSettings
from serving.kafka import watch as kafka_watch
from serving.kafka.connecting import _of_clients, connect_side_by_side
from serving.kafka.watch import LAST_BROKER_SECONDS, REFRESH_SECONDS, KafkaWatch, update_client
from serving.kafka.words import NotReached, UnusableFile
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
        self.brokers: dict[int, Address] = {1: ("a", 1)}
        self.new: list[list[str]] = []
        self.known: list[Address] = []
        self.kept: list[list[str]] = []
        self.closed = 0
        self.kept_is_silent = False
        self.error: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def first_answer(
        self, _kafka: object, topics: Sequence[str], known: Iterable[Address]
    ) -> tuple[Address, Any]:
        self.new.append(list(topics))
        self.known = list(known)
        await self.answers.wait()
        if self.error:
            raise self.error
        return ("a", 1), cluster_of(self.brokers, topics)

    def connection(self, address: Address, _options: object) -> "Kafka":
        assert address == ("a", 1)
        return self

    async def metadata(self, topics: Sequence[str], seconds: float) -> Any:  # noqa: ANN401 aiokafka has no types
        assert LAST_BROKER_SECONDS == seconds
        if self.kept_is_silent:
            raise TimeoutError
        self.kept.append(list(topics))
        return cluster_of(self.brokers, topics)

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    made = Kafka()
    monkeypatch.setattr(kafka_watch, "first_answer", made.first_answer)
    monkeypatch.setattr(kafka_watch, "MetadataConnection", made.connection)
    return made


@pytest.fixture
def watch() -> KafkaWatch:
    return KafkaWatch(KafkaSettings(), Outage("kafka"))


async def next_refresh(watch: KafkaWatch) -> None:
    watch._due = 0.0
    await watch.refresh()


async def test_one_refresh_updates_the_clients_of_both_topics(kafka: Kafka, watch: KafkaWatch) -> None:
    clients = AIOKafkaClient(), AIOKafkaClient()
    watch.follow("games", lambda: clients[:1])
    watch.follow("analytics", lambda: clients[1:])
    await asyncio.gather(watch.refresh(), watch.refresh())
    await watch.refresh()
    assert [["games", "analytics"]] == kafka.new
    assert [] == kafka.kept
    assert watch.reached
    for client in clients:
        assert {0} == client.cluster.partitions_for_topic("games")
        assert {0} == client.cluster.partitions_for_topic("analytics")


async def test_a_refresh_that_takes_long_is_not_made_twice_at_once(kafka: Kafka, watch: KafkaWatch) -> None:
    """The other waits, and asks whom the first has found."""
    kafka.answers.clear()
    refreshes = [asyncio.create_task(watch.refresh())]
    await asyncio.sleep(0)
    watch._due = 0.0
    refreshes.append(asyncio.create_task(watch.refresh()))
    for _ in range(3):
        await asyncio.sleep(0)
    watch._due = 0.0
    kafka.answers.set()
    await asyncio.gather(*refreshes)
    assert (1, 1) == (len(kafka.new), len(kafka.kept))


async def test_the_broker_that_answered_is_asked_again_over_the_same_connection(
    kafka: Kafka, watch: KafkaWatch
) -> None:
    watch.follow("games", tuple)
    for _ in range(3):
        await next_refresh(watch)
    assert (1, 2) == (len(kafka.new), len(kafka.kept))
    kafka.kept_is_silent = True
    await next_refresh(watch)
    assert (2, 2) == (len(kafka.new), len(kafka.kept))
    assert watch.reached
    await watch.close()
    assert 1 == kafka.closed


async def test_a_client_whose_brokers_are_all_gone_is_told_of_the_others(kafka: Kafka, watch: KafkaWatch) -> None:
    """By itself it would ask only those. All that were known are asked beside the addresses of the settings."""
    client = AIOKafkaClient()
    watch.follow("games", lambda: [client])
    await watch.refresh()
    assert [("a", 1)] == brokers_of(client)
    kafka.kept_is_silent, kafka.brokers = True, {2: ("b", 2), 3: ("c", 3)}
    await next_refresh(watch)
    assert [("a", 1)] == kafka.known
    assert [("b", 2), ("c", 3)] == brokers_of(client)
    assert 2 == client.cluster.leader_for_partition(TopicPartition("games", 0))


def brokers_of(client: AIOKafkaClient) -> list[Address]:
    return sorted((one.host, one.port) for one in client.cluster.brokers())


def at_once(_: float, callback: Callable[[], None]) -> Callable[[], None]:
    """A return is told without waiting whether it lasts."""
    callback()
    return lambda: None


@pytest.mark.parametrize("error", [NotReached("a:1: connection refused"), UnusableFile("kafka.ssl_cafile: none")])
async def test_a_cluster_of_which_no_address_answers_is_one_line_lost_and_one_back(
    kafka: Kafka, error: Exception
) -> None:
    """Each is named with its reason, and nothing that was known is taken for true."""
    watch = KafkaWatch(KafkaSettings(), Outage("kafka", later=at_once))
    await watch.refresh()
    kafka.kept_is_silent, kafka.error = True, error
    with capture_logs() as lines:
        for _ in range(2):
            await next_refresh(watch)
        lost = watch.reached
        kafka.error = None
        for _ in range(2):
            await next_refresh(watch)
    assert (False, True) == (lost, watch.reached)
    assert ["kafka_lost", "kafka_back"] == [line["event"] for line in lines]
    assert str(error) == lines[0]["reason"]


async def test_metadata_is_refreshed_every_second_until_the_process_ends(
    kafka: Kafka, watch: KafkaWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later, acks and reading would wait for a new leader that is long there. What is kept open is closed."""
    assert LAST_BROKER_SECONDS <= REFRESH_SECONDS <= 1
    monkeypatch.setattr(kafka_watch, "REFRESH_SECONDS", 0.001)
    running = asyncio.create_task(watch.run())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(kafka.kept) < 3:  # noqa: ASYNC110 the stand-in has no event
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.wait((running,))
    assert (1, 1) == (len(kafka.new), kafka.closed)


class Connection:
    """One that a client holds."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.closed = False

    def close(self, reason: object) -> None:
        assert reason
        self.closed = True

    def connected(self) -> bool:
        return not self.closed


async def test_a_connection_that_is_made_is_given_to_all_who_wait_for_it() -> None:
    client, made, calls = AIOKafkaClient(), Connection("a", 1), list[object]()

    async def connect(node: object, **_: object) -> Connection:
        calls.append(node)
        await asyncio.sleep(0)
        return made

    client._get_conn = connect
    connect_side_by_side(client)
    assert [made, made] == list(await asyncio.gather(client._get_conn(1), client._get_conn(1)))
    assert [1] == calls
    assert made is await client._get_conn(1)
    assert [1, 1] == calls, "one that has ended is made anew"


async def test_a_connection_that_is_there_is_taken_without_a_task() -> None:
    """Every request asks for it."""
    client, made = AIOKafkaClient(), Connection("a", 1)
    connect_side_by_side(client)
    client._conns[1, ConnectionGroup.DEFAULT] = made
    assert made is await client._get_conn(1)
    assert {} == _of_clients[client]
    client._conns.clear()


async def test_connections_that_lead_nowhere_any_more_are_closed_and_no_others() -> None:
    """To a broker that is gone, or has moved. Others stay, as that to an address of the settings."""
    client = AIOKafkaClient()
    same, moved, gone, first = Connection("a", 1), Connection("b", 2), Connection("c", 3), Connection("d", 4)
    nodes: list[object] = [1, 2, 3, "bootstrap-0"]
    for node, connection in zip(nodes, (same, moved, gone, first), strict=True):
        client._conns[node, ConnectionGroup.DEFAULT] = connection
    update_client(client, cluster_of({1: ("a", 1), 2: ("b", 22)}))
    assert (False, True, True, False) == (same.closed, moved.closed, gone.closed, first.closed)
    client._conns.clear()


async def test_an_answer_without_brokers_teaches_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A broker that starts knows of none yet. The client would fail whoever waits for metadata, and log it."""
    client = AIOKafkaClient()
    update_client(client, cluster_of({1: ("a", 1)}))
    waiting = client.cluster.request_update()
    update_client(client, MetadataResponse_v1([], -1, []))
    assert [("a", 1)] == brokers_of(client)
    assert [] == caplog.records
    assert not waiting.done()
    waiting.cancel()


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
            update_client(client, both)
            waiting = asyncio.create_task(client._get_conn(2))
            await until_connecting(waiting)
            update_client(client, both)
            await until_connecting(waiting)
            if heard_before:
                client.cluster.update_metadata(left)
            update_client(client, left)
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await waiting is None


async def test_nobody_waits_for_a_connection_to_where_a_broker_was() -> None:
    """It has moved; one connection to each place is made, however many ask for it."""
    async with silent_broker() as frozen:
        client = AIOKafkaClient(request_timeout_ms=1_000 * int(2 * PATIENCE_SECONDS))
        connect_side_by_side(client)
        update_client(client, cluster_of({1: ("127.0.0.1", 1), 2: frozen}))
        waiting = [asyncio.create_task(client._get_conn(2)) for _ in range(3)]
        await until_connecting(waiting[0])
        (made,) = {one.task for one in _of_clients[client].values()}
        assert 1 == len([task for task in asyncio.all_tasks() if qualname(task) == qualname(made)])
        update_client(client, cluster_of({1: ("127.0.0.1", 1), 2: ("127.0.0.1", 2)}))
        async with asyncio.timeout(PATIENCE_SECONDS / 4):
            assert [None] * 3 == await asyncio.gather(*waiting)


def qualname(task: "asyncio.Task[Any]") -> str:
    return str(getattr(task.get_coro(), "__qualname__", ""))


async def test_one_connection_is_not_waited_for_by_another() -> None:
    """Aiokafka's lock is one for all brokers."""
    async with silent_broker() as frozen:
        client = AIOKafkaClient(request_timeout_ms=1_000 * int(2 * PATIENCE_SECONDS))
        connect_side_by_side(client)
        update_client(client, cluster_of({1: ("127.0.0.1", 1), 2: frozen}))
        waiting = asyncio.create_task(client._get_conn(2))
        await until_connecting(waiting)
        again = asyncio.create_task(client._get_conn(2, group=ConnectionGroup.DEFAULT))
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await client._get_conn(1) is None  # refused
        assert not waiting.done()
        assert not again.done()
