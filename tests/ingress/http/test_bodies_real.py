"""Large bodies of strangers against an ingress process: memory stays bounded, and others are served (B9)."""

import asyncio
import gzip
import uuid
from collections import Counter
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from ingress.delivery.publish import KafkaPublisher, PublishLimits
from schemas.settings import KafkaSettings
from serving.kafka.watch import KafkaWatch
from serving.outage import Outage
from tests.ingress.games.test_record_real import fresh_batch
from tests.ingress.real import Running, config, declare, fresh_token, ingress_process, make_topic, until_ready
from tests.patience import PATIENCE_SECONDS
from tests.real import place
from tests.samples import item, pool
from tests.servers import Servers

MIB = 1 << 20
# 12 KB that unpack to 8 MiB, in three ways that are costly to read; none holds a token that is good.
BOMBS = [
    gzip.compress(b'{"eventData":[' + b"[],  " * (8 * MIB // 5 - 10) + b"0]}"),
    gzip.compress(b'{"Token":"no","eventData":"' + b"\\u0041" * (8 * MIB // 6 - 10) + b'"}'),
    gzip.compress(b"eventData=%5B" + b"0%2C" * (8 * MIB // 4 - 10) + b"&Token=no"),
]
# Of the process, above what it has when it starts, as ingress.max_body_bytes_held says: unknown senders hold less than
# half of its 256 MiB, and 8 MiB of bodies may take twenty times as much while they are parsed. Mostly it is half of
# this. Held all at once, the bodies alone would be 1,200 MiB.
MAX_GROWTH_BYTES = (128 + 160) * MIB

# Four requests a round: within the 600 a minute that a player may send (G17), however long the flood lasts.
HONEST_PAUSE_SECONDS = 0.4


def peak_bytes(running: Running) -> int:
    lines = Path(f"/proc/{running.process.pid}/status").read_text().splitlines()
    (line,) = (one for one in lines if one.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


async def flood(running: Running, session: aiohttp.ClientSession) -> Counter[int]:
    """150 bodies at once."""

    async def one(number: int) -> int:
        headers = {"content-encoding": "gzip", "content-type": "application/json" if number % 3 < 2 else "text/plain"}
        data = BOMBS[number % 3]
        async with session.post(f"{running.url}/AddEventBatch", data=data, headers=headers) as response:
            return response.status

    return Counter(await asyncio.gather(*(one(number) for number in range(150))))


async def honest(running: Running, session: aiohttp.ClientSession, until: asyncio.Event) -> Counter[tuple[str, int]]:
    """Batches and pools, small and large, one after the other, until `until` is set."""
    answers: Counter[tuple[str, int]] = Counter()
    number = 0
    while not until.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(until.wait(), HONEST_PAUSE_SECONDS if number else 0)
        number += 1
        status, _, _ = await running.post(session, fresh_batch(request_id=str(number)))
        answers["batch", status] += 1
        now = 1_700_000_000 + number
        header = {"authorization": f"Bearer {fresh_token()}"}
        pools = {
            "small": (pool(item("A", now)), header | {"content-type": "text/plain; charset='UTF8'"}),
            "token in the body": (pool(item("B", now), Token=fresh_token()), {}),
            "large": (pool(*(item("C", now, n=n, text="x" * 1_000) for n in range(500))), header),
        }
        for name, (body, headers) in pools.items():
            async with session.post(f"{running.url}/AddEventBatch", data=body, headers=headers) as response:
                answers[name, response.status] += 1
    return answers


async def test_150_bodies_that_unpack_to_8_mib_stop_nobody_and_fill_no_memory(servers: Servers, tmp_path: Path) -> None:
    """Without a token each is refused or gets 503. Every honest request meanwhile is registered."""
    name = f"bodies-{uuid.uuid4().hex[:8]}"
    await make_topic(servers.kafka, name)
    declare(servers.mongodb, name)
    file = config(tmp_path, servers.kafka, servers.mongodb, name, apply_timeout_seconds=0)
    timeout = aiohttp.ClientTimeout(PATIENCE_SECONDS)
    connector = aiohttp.TCPConnector(limit=0)
    with ingress_process(file) as running:
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            await until_ready(running, session)
            done = asyncio.Event()
            serving = asyncio.create_task(honest(running, session, done))
            before = peak_bytes(running)
            refused = await flood(running, session)
            done.set()
            served = await serving
            grown = peak_bytes(running) - before
    assert {401, 503} >= refused.keys()
    assert refused[401]
    assert {200} == {status for _, status in served}, served
    assert grown < MAX_GROWTH_BYTES, f"{grown / MIB:.0f} MiB"


@pytest.mark.parametrize("partitions", [1, 7])
async def test_g17_the_partition_of_a_key_is_known_before_it_is_sent(servers: Servers, partitions: int) -> None:
    """The partition that aiokafka chooses; None without a connection."""
    async with place(servers, partitions=partitions) as where:
        kafka: KafkaSettings = where.settings.kafka
        watch = KafkaWatch(kafka, Outage("kafka"))
        publisher = KafkaPublisher(kafka, PublishLimits(PATIENCE_SECONDS, 64 * MIB, MIB), watch)
        assert publisher.partition_of(b"demo/ann") is None
        running = asyncio.create_task(publisher.run())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not publisher.ready:  # noqa: ASYNC110 the publisher has no event
                await asyncio.sleep(0.01)
        keys = [f"demo/player {n}".encode() for n in range(50)]
        positions = [await publisher.publish(key, [], b"{}") for key in keys]
        assert [publisher.partition_of(key) for key in keys] == [at.partition if at else None for at in positions]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await publisher.stop(PATIENCE_SECONDS)
