"""A client of Kafka that has ended, or hangs, on a real broker: another takes its place and reads on where it stood."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka.client import ConnectionGroup
from structlog.testing import capture_logs

from consumer.kafka import source_watch
from consumer.kafka.reader import KafkaSource
from consumer.kafka.source import SourceClient
from consumer.memory import MemoryStore
from tests.consumer.parts import eventually, parts, running
from tests.consumer.test_worker import applied, one, total
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place, produce
from tests.servers import Servers


@pytest.fixture
async def where(servers: Servers) -> AsyncIterator[Place]:
    async with place(servers, partitions=1) as made:
        yield made


def end_fetching(source: SourceClient) -> None:
    source.consumer._fetcher._fetch_task.cancel()


def end_refreshing(source: SourceClient) -> None:
    source.client._sync_task.cancel()


def hang(source: SourceClient) -> None:
    """Send no fetch, and say nothing about it."""
    source.consumer._fetcher._get_actions_per_node = lambda _: ([], {}, 0.2, False, [])


@pytest.mark.parametrize("fault", [end_fetching, end_refreshing, hang])
async def test_a_client_that_reads_no_more_is_made_anew(
    where: Place, fault: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each record counts once, and the log has one line."""
    monkeypatch.setattr(source_watch, "UNREAD_SECONDS", 0.5)
    monkeypatch.setattr(source_watch, "HANGING_SECONDS", 1)
    log, store = KafkaSource(where.settings.kafka, where.settings.worker), MemoryStore()
    await produce(where.settings, 0, one(0))
    with capture_logs() as lines:
        async with running(parts(log, store)):
            await eventually(lambda: applied(store) == 1)
            before = log._source
            assert callable(fault)
            fault(before)
            await eventually(lambda: log._source is not before)
            await produce(where.settings, 0, one(1))
            await eventually(lambda: applied(store) == 2)
    assert 2 == total(store)
    assert 1 == [line["event"] for line in lines].count("client_replaced")


async def test_a_connection_to_a_silent_address_holds_no_other_up(where: Place) -> None:
    """A client of aiokafka has one lock for all its connections."""
    taken, over = asyncio.Event(), asyncio.Event()

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.set()
        await over.wait()
        writer.close()

    source = SourceClient(where.settings.kafka, where.settings.kafka.records_topic, 2_000 * int(PATIENCE_SECONDS))
    silent = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        await source.start()
        cluster = source.client.cluster
        (known,) = cluster.brokers()
        port = silent.sockets[0].getsockname()[1]
        cluster._brokers[77] = known._replace(nodeId=77, host="127.0.0.1", port=port)
        waiting = asyncio.create_task(source.client.ready(77))
        await taken.wait()
        apart = {"group": ConnectionGroup.COORDINATION}
        assert await asyncio.wait_for(source.client.ready(known.nodeId, **apart), PATIENCE_SECONDS)
        assert not waiting.done()
        over.set()
        assert not await waiting
    finally:
        over.set()
        await source.stop()
        silent.close()
        await silent.wait_closed()
