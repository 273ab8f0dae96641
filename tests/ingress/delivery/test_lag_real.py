"""A stopped partition on real servers: only its own records are refused (G17)."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from pymongo import AsyncMongoClient

from tests.ingress.games.test_record_real import fresh_batch
from tests.ingress.real import analytics_of, config, declare, ingress_process, make_topic, now_millis, until_ready
from tests.ingress.rig import token
from tests.patience import PATIENCE_SECONDS
from tests.samples import item, pool
from tests.servers import Servers

# Checkpoints are read once a second while nobody waits, so what is counted at once lags a second.
MAX_LAG_SECONDS = 4
PLAYERS = [f"player{n}" for n in range(8)]


async def two_partitions(kafka: str, name: str) -> None:
    """Both topics."""
    await make_topic(kafka, name)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_partitions({topic: NewPartitions(2) for topic in (name, analytics_of(name))})
    finally:
        await admin.close()


@asynccontextmanager
async def all_counted(servers: Servers, name: str, partition: int) -> AsyncIterator[None]:
    """As if a worker had claimed both partitions of both topics, and applied whatever comes to one of them."""
    topics = {"r1": TopicPartition(name, partition), "r2": TopicPartition(analytics_of(name), partition)}
    async with (
        AsyncMongoClient[dict[str, Any]](servers.mongodb) as client,
        AIOKafkaConsumer(bootstrap_servers=servers.kafka) as consumer,
    ):
        database = client[name]
        await database["lineages"].insert_one({"_id": "r2", "topic": analytics_of(name), "generation": 1})
        claimed = [{"_id": f"{lineage}/{number:02}", "next": 0} for lineage in topics for number in (0, 1)]
        await database["checkpoints"].insert_many(claimed)

        async def apply() -> None:
            while True:
                ends = await consumer.end_offsets(topics.values())
                for lineage, topic in topics.items():
                    key = {"_id": f"{lineage}/{partition:02}"}
                    await database["checkpoints"].update_one(key, {"$set": {"next": ends[topic]}}, upsert=True)
                await asyncio.sleep(0.05)

        applying = asyncio.create_task(apply())
        try:
            yield
        finally:
            applying.cancel()
            await asyncio.wait([applying])


async def answers(url: str, session: aiohttp.ClientSession, player: str) -> tuple[bool, bool, int]:
    """Of a batch and of a pool: whether each was taken; and the partition that the batch went to, or -1."""
    bearer = {"authorization": f"Bearer {token(sub=player, exp=now_millis() // 1000 + 3600)}"}
    headers = bearer | {"content-type": "application/json"}
    body = fresh_batch(request_id=str(now_millis()))
    async with session.post(f"{url}/games/v1/events", data=body, headers=headers) as response:
        failures = (await response.json())["batchFailures"]
        receipt = response.headers.get("Tallymill-Receipt", "")
    events = pool(item("A", now_millis()))
    async with session.post(f"{url}/AddEventBatch", data=events, headers=headers) as response:
        assert response.status in (200, 429)
        return not failures, response.status == 200, int(receipt.split(".")[1]) if receipt else -1


async def test_g17_a_partition_that_stands_still_refuses_for_itself_alone(servers: Servers, tmp_path: Path) -> None:
    """Both APIs. Partition 0 is counted at once, and partition 1 never."""
    name = f"lag-{uuid.uuid4().hex[:8]}"
    await two_partitions(servers.kafka, name)
    declare(servers.mongodb, name)
    file = config(tmp_path, servers.kafka, servers.mongodb, name, apply_timeout_seconds=0)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"limits": {"max_lag_seconds": MAX_LAG_SECONDS}}))
    with ingress_process(file) as running:
        async with all_counted(servers, name, partition=0), aiohttp.ClientSession() as session:
            await until_ready(running, session)
            first = {player: await answers(running.url, session, player) for player in PLAYERS}
            partitions = {player: partition for player, (*_, partition) in first.items()}
            assert {0, 1} == set(partitions.values())
            halted = next(player for player, partition in partitions.items() if partition == 1)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while any((await answers(running.url, session, halted))[:2]):  # noqa: ASYNC110 another process
                    await asyncio.sleep(0.05)
            for player, partition in partitions.items():
                taken = (await answers(running.url, session, player))[:2]
                assert taken == ((False, False) if partition == 1 else (True, True))
