"""The ingress process on real Kafka and MongoDB."""

import asyncio
import secrets
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from ops.config import Settings
from schemas.coordinates import Coordinates
from schemas.records.envelope import unseal
from schemas.records.receipt import read_receipt
from schemas.records.signing import SigningKeys
from schemas.settings import KafkaSettings
from tests.ingress.real import (
    KEY,
    Running,
    apply,
    config,
    declare,
    ingress_process,
    make_topic,
    now_millis,
    reading,
    stopped,
    until_ready,
)
from tests.ingress.rig import batch, period, update
from tests.patience import PATIENCE_SECONDS
from tests.real import change_topic
from tests.servers import Servers

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SIGNING = SigningKeys((KEY.encode(),))
# What a test's worker writes by hand, an answer and a stop wait for.
PATIENT = {"apply_timeout_seconds": PATIENCE_SECONDS, "stop_timeout_seconds": int(PATIENCE_SECONDS)}


@dataclass(frozen=True)
class Stage:
    servers: Servers
    name: str
    running: Running


@pytest.fixture
def stage(servers: Servers, tmp_path: Path) -> Iterator[Stage]:
    """A ready ingress with a topic of one partition and a new database."""
    name = f"ingress-{uuid.uuid4().hex[:8]}"
    asyncio.run(make_topic(servers.kafka, name))
    declare(servers.mongodb, name)
    file = config(tmp_path, servers.kafka, servers.mongodb, name, **PATIENT)
    with ingress_process(file) as running:
        yield Stage(servers, name, running)


def fresh_batch(count: int = 3, request_id: str = "7") -> bytes:
    now = now_millis()
    return batch(period(update(count=count), start=now - 60_000, end=now), request_id=request_id, sent_millis=now)


async def test_the_topic_holds_the_body_byte_for_byte_and_the_envelope(stage: Stage) -> None:
    body = fresh_batch() + b" \n"
    large = fresh_batch(request_id="8") + b" " * 900_000
    async with aiohttp.ClientSession() as session, reading(stage.servers.kafka, stage.name) as consumer:
        await until_ready(stage.running, session)
        began = now_millis()
        for sent, encoded in ((body, {}), (large, {"content_encoding": "zstd"})):
            posted = zstd.compress(sent) if encoded else sent  # what is published is the decoded body (B3)
            status, headers, answer = await stage.running.post(session, posted, prefer="respond-async", **encoded)
            assert (status, answer["batchFailures"]) == (200, [])
            record = await asyncio.wait_for(consumer.getone(), PATIENCE_SECONDS)
            assert (record.value, record.key) == (sent, b"demo/ann")
            envelope = unseal(record.key, record.headers, record.value, 0, SIGNING)
            assert (envelope.app, envelope.player) == ("demo", "ann")
            assert envelope.judged is not None
            assert began <= envelope.received_millis <= now_millis()
            receipt = read_receipt(headers["Tallymill-Receipt"], SIGNING)
            assert receipt.coordinates == Coordinates("r1", record.partition, record.offset)


@pytest.mark.parametrize("fate", ["applied", "duplicate"])
async def test_g14_the_answer_waits_for_the_checkpoint_and_holds_what_it_says(stage: Stage, fate: str) -> None:
    async with aiohttp.ClientSession() as session, reading(stage.servers.kafka, stage.name) as consumer:
        await until_ready(stage.running, session)
        posting = asyncio.create_task(stage.running.post(session, fresh_batch()))
        record = await asyncio.wait_for(consumer.getone(), PATIENCE_SECONDS)
        exception = None if fate == "applied" else fate
        await apply(stage.servers.mongodb, stage.name, record.offset, {"LEVEL_UP": 12_345}, exception)
        _, headers, answer = await posting
    causes = [failure["failureCause"] for failure in answer["batchFailures"]]
    assert causes == ([] if fate == "applied" else ["ALREADY_UPDATED"])
    assert answer["playerEvents"][0]["formattedNumEvents"] == "12,345"
    assert "visible;dur=" in headers["Server-Timing"]


async def until_nobody_listens(running: Running) -> None:
    host, _, port = running.url.removeprefix("http://").partition(":")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except ConnectionRefusedError:
                return
            writer.close()
            await asyncio.sleep(0.01)


async def test_b4_a_stop_answers_what_was_accepted_and_ends_in_time(stage: Stage) -> None:
    async with aiohttp.ClientSession() as session, reading(stage.servers.kafka, stage.name) as consumer:
        await until_ready(stage.running, session)
        posting = asyncio.create_task(stage.running.post(session, fresh_batch()))
        record = await asyncio.wait_for(consumer.getone(), PATIENCE_SECONDS)
        stopping = asyncio.create_task(asyncio.to_thread(stopped, stage.running))
        await until_nobody_listens(stage.running)
        await apply(stage.servers.mongodb, stage.name, record.offset, {"LEVEL_UP": 5})
        status, _, answer = await posting
    assert (status, answer["playerEvents"][0]["numEvents"]) == (200, "5")
    assert await stopping == 0


async def test_a_batch_that_kafka_refuses_does_not_poison_those_after_it(servers: Servers, tmp_path: Path) -> None:
    """To aiokafka a refused batch's sequence numbers are used, so the old producer could never publish again."""
    name = f"ingress-{uuid.uuid4().hex[:8]}"
    await make_topic(servers.kafka, name)
    declare(servers.mongodb, name)
    with ingress_process(config(tmp_path, servers.kafka, servers.mongodb, name, apply_timeout_seconds=0)) as running:
        async with aiohttp.ClientSession() as session:
            await until_ready(running, session)
            kafka = KafkaSettings(bootstrap_servers=servers.kafka, records_topic=name)
            await change_topic(Settings(kafka=kafka), max_message_bytes="100000")
            incompressible = b'{"kind":"' + secrets.token_hex(200_000).encode() + b'",' + fresh_batch()[1:]
            statuses = [(await running.post(session, body))[0] for body in (fresh_batch(), incompressible)]
            await until_ready(running, session)
            statuses += [(await running.post(session, fresh_batch(request_id=str(n))))[0] for n in (8, 9)]
    assert statuses == [200, 503, 200, 200]


async def test_a_port_in_use_is_said_at_once(stage: Stage, tmp_path: Path) -> None:
    port = int(stage.running.url.rpartition(":")[2])
    (tmp_path / "second").mkdir()
    file = config(tmp_path / "second", stage.servers.kafka, stage.servers.mongodb, stage.name, port=port)
    with pytest.raises(AssertionError, match="port_not_taken"), ingress_process(file):
        pass
