"""Kafka and MongoDB fail while an ingress runs, and return."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ops.local.servers import docker
from ops.local.servers.processes import Child, Children
from ops.local.servers.source import choose_sources
from ops.local.servers.stack import ANY_PORTS, start_servers, wait_for_kafka
from tests.ingress.real import config, declare, ingress_process, make_topic, now_millis, reading, until_ready
from tests.ingress.rig import batch, period, update
from tests.patience import PATIENCE_SECONDS
from tests.servers import Servers

# Long enough that a batch is published within it on any machine, once Kafka is there.
DEADLINE_SECONDS = 5.0


@dataclass
class OwnKafka:
    """A Kafka of this test alone, so that it can be stopped."""

    children: Children
    child: Child
    address: str

    def stop(self) -> None:
        self.children.stop([self.child])

    def start(self) -> None:
        self.child = self.children.start(self.child.program)
        wait_for_kafka(self.address, self.child, None)


@pytest.fixture
def own_kafka(servers: Servers, tmp_path: Path) -> Iterator[OwnKafka]:
    sources = choose_sources(None, servers.mongodb, docker.engine_answers)
    with Children(tmp_path / "logs") as children:
        started = start_servers(children, tmp_path / "kafka", sources, ANY_PORTS)
        assert started.kafka is not None
        assert started.kafka_address is not None
        yield OwnKafka(children, started.kafka, started.kafka_address)


def padded(request_id: int) -> bytes:
    """A batch of about 300 KB: four of them are more than the buffer of this test's ingress takes."""
    now = now_millis()
    return (
        batch(period(update(), start=now - 60_000, end=now), request_id=str(request_id), sent_millis=now)
        + b" " * 300_000
    )


async def test_kafka_stopped_is_503_within_the_deadline_in_bounded_memory_and_nothing_ok_is_lost(
    servers: Servers, own_kafka: OwnKafka, tmp_path: Path
) -> None:
    name = f"outage-{uuid.uuid4().hex[:8]}"
    await make_topic(own_kafka.address, name)
    declare(servers.mongodb, name)
    settings = {"publish_deadline_seconds": DEADLINE_SECONDS, "max_buffer_bytes": 1 << 20, "apply_timeout_seconds": 0}
    with ingress_process(config(tmp_path, own_kafka.address, servers.mongodb, name, **settings)) as running:
        async with aiohttp.ClientSession() as session:
            await until_ready(running, session)
            before, _, _ = await running.post(session, padded(1))
            await asyncio.to_thread(own_kafka.stop)
            during = await asyncio.gather(*(timed(running.post(session, padded(n))) for n in range(2, 9)))
            assert await running.missing(session) == ["kafka", "kafka analytics"]
            held = await buffer_bytes(session, running.url)
            await asyncio.to_thread(own_kafka.start)
            await until_ready(running, session)
            after, _, _ = await running.post(session, padded(9))
            assert await buffer_bytes(session, running.url) == 0
    assert (before, after) == (200, 200)
    assert {status for status, _ in during} == {503}
    assert max(seconds for _, seconds in during) < 4 * DEADLINE_SECONDS  # Kafka's client would wait for ever
    assert min(seconds for _, seconds in during) < DEADLINE_SECONDS  # the buffer is full: at once
    assert 0 < held <= 1 << 20
    ids = await request_ids(own_kafka.address, name)
    assert ids[0] == 1
    assert ids[-1] == 9
    assert len(ids) == len(set(ids))


async def timed(posting: Awaitable[tuple[int, Mapping[str, str], Any]]) -> tuple[int, float]:
    started = time.monotonic()
    status, headers, _ = await posting
    assert headers["Retry-After"] == "1"
    return status, time.monotonic() - started


async def buffer_bytes(session: aiohttp.ClientSession, url: str) -> float:
    async with session.get(f"{url}/metrics") as response:
        lines = (await response.text()).splitlines()
    name = 'tallymill_ingress_buffer_bytes{api="games"} '
    return next(float(line.split()[1]) for line in lines if line.startswith(name))


async def request_ids(kafka: str, topic: str) -> list[int]:
    """ce_id of every record, in order, up to the one with id 9."""
    ids: list[int] = []
    async with reading(kafka, topic) as consumer:
        while not ids or ids[-1] != 9:
            record = await asyncio.wait_for(consumer.getone(), PATIENCE_SECONDS)
            ids.append(int(dict(record.headers)["ce_id"]))
    return ids


@dataclass
class Cable:
    """A TCP connection to a server that can be pulled out."""

    port: int = 0
    pulled: bool = False
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def pull(self) -> None:
        self.pulled = True
        for writer in self.writers:
            writer.close()


@asynccontextmanager
async def cable_to(host: str, port: int) -> AsyncIterator[Cable]:
    cable = Cable()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            far_reader, far_writer = await asyncio.open_connection(host, port)
            with contextlib.closing(far_writer):
                if cable.pulled:
                    return
                cable.writers += [writer, far_writer]
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    cable.port = server.sockets[0].getsockname()[1]
    try:
        yield cable
    finally:
        cable.pull()
        server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(65_536):
        writer.write(part)
        await writer.drain()
    writer.close()


async def test_mongodb_away_still_accepts_with_a_receipt(servers: Servers, tmp_path: Path) -> None:
    name = f"outage-{uuid.uuid4().hex[:8]}"
    await make_topic(servers.kafka, name)
    declare(servers.mongodb, name)
    host, _, port = servers.mongodb.removeprefix("mongodb://").partition("/")[0].rpartition(":")
    async with cable_to(host, int(port)) as cable:
        through = f"mongodb://127.0.0.1:{cable.port}/?directConnection=true"
        with ingress_process(config(tmp_path, servers.kafka, through, name)) as running:
            async with aiohttp.ClientSession() as session:
                await until_ready(running, session)
                cable.pull()
                answers = [await running.post(session, padded(n)) for n in (1, 9)]
    for status, headers, answer in answers:
        assert (status, answer["playerEvents"]) == (200, [])
        assert "Tallymill-Receipt" in headers
    assert await request_ids(servers.kafka, name) == [1, 9]
