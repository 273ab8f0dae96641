"""Every step between publish and answer, stopped dead by SIGKILL: the client's retry counts once, whatever was done.

docs/delivery.md has the table these tests stand for. Real Kafka, MongoDB and worker; the retry goes to a new process.
"""

import signal
from pathlib import Path

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.documents import CHECKPOINTS, PERIOD_COUNTS, PLAYERS, REQUESTS
from schemas.settings import KafkaSettings
from tests.ingress import serve_and_crash
from tests.ingress.real import ingress_process, until_ready
from tests.ingress.serve_and_crash import ACKED, BEFORE_SEND, COUNTED, HANDED_OVER, SENT
from tests.ingress.stage import Stage, fresh_batch, stage
from tests.patience import PATIENCE_SECONDS
from tests.servers import Servers
from tests.stored_ids import stored_ids

COUNT = 3


async def crash_during(one: Stage, point: str, body: bytes) -> None:
    """Send the batch to an ingress that dies at `point`: no answer."""
    async with aiohttp.ClientSession() as session:
        with ingress_process(one.ingress, serve_and_crash.__file__, point) as dying:
            await until_ready(dying, session)
            with pytest.raises(aiohttp.ClientError):
                await dying.post(session, body)
            assert -signal.SIGKILL == dying.process.wait(PATIENCE_SECONDS)


async def send_again(one: Stage, body: bytes) -> tuple[list[str], int]:
    """The same batch to an ingress that lives: why it was not counted, and the player's total."""
    async with aiohttp.ClientSession() as session:
        with ingress_process(one.ingress) as running:
            await until_ready(running, session)
            status, _, answer = await running.post(session, body)
    assert 200 == status
    (event,) = answer["playerEvents"]
    causes = [failure["failureCause"] for failure in answer["batchFailures"] + answer["eventFailures"]]
    return causes, int(event["numEvents"])


async def records_in_topic(kafka: KafkaSettings) -> int:
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers) as consumer:
        only = TopicPartition(kafka.records_topic, 0)
        ends: dict[TopicPartition, int] = await consumer.end_offsets([only])
        return ends[only]


@pytest.mark.parametrize(
    ("point", "published"), [(BEFORE_SEND, 0), (HANDED_OVER, 0), (SENT, 1), (ACKED, 1), (COUNTED, 1)]
)
async def test_a_batch_whose_ingress_dies_counts_once_with_its_retry(
    servers: Servers, tmp_path: Path, point: str, published: int
) -> None:
    """Not published: the retry is the first. Published: it is a duplicate, and its answer holds the total as well."""
    body = fresh_batch(COUNT)
    async with stage(servers, tmp_path) as one:
        await crash_during(one, point, body)
        assert (["ALREADY_UPDATED"] * published, COUNT) == await send_again(one, body)
        assert 1 + published == await records_in_topic(one.where.settings.kafka)
        (player,) = (await one.where.documents(PLAYERS)).values()
        assert {"LEVEL_UP": COUNT} == player["totals"]
        assert COUNT == sum(document["count"] for document in (await one.where.documents(PERIOD_COUNTS)).values())
        assert {"demo/ann/7"} == stored_ids((await one.where.documents(REQUESTS)).values()).keys()
        checkpoint = (await one.where.documents(CHECKPOINTS))["r1/00"]
        assert {"applied": 1, "duplicate": published, "refused": 0, "dead": 0} == checkpoint["fates"]
