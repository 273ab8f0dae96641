"""No process creates a topic by asking for it, although the broker would (Kafka's defaults)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from pymongo import MongoClient

from ops.config import Settings
from ops.init.command import initialise, wrong
from schemas.settings import KafkaSettings
from serving.kafka.client import client_options
from tests.ingress.real import analytics_of, config, declare, ingress_process, until_ready
from tests.kafka.brokers import Broker, lone_broker
from tests.patience import PATIENCE_SECONDS
from tests.servers import Servers


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Creates each topic that is asked for, with one partition."""
    folder = tmp_path_factory.mktemp("eager")
    with lone_broker(folder, auto_create_topics_enable="true", num_partitions="1") as broker:
        yield broker


async def topics(broker: Broker) -> dict[str, int]:
    """Its topics, and how many partitions each has; asked as our clients are not."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.address())
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if not name.startswith("__")]
        described = await admin.describe_topics(names) if names else []
        return {topic["topic"]: len(topic["partitions"]) for topic in described}
    finally:
        await admin.close()


@pytest.mark.real
async def test_a_client_that_asks_for_a_topic_does_not_create_it(eager: Broker) -> None:
    options = client_options(KafkaSettings(bootstrap_servers=eager.address()), request_timeout_ms=1_000)
    async with AIOKafkaProducer(**options) as producer:
        with pytest.raises(KafkaError):
            await producer.partitions_for("asked-by-producer")
        with pytest.raises(KafkaError):
            await producer.send_and_wait("sent-by-producer", b"x")
    consumer = AIOKafkaConsumer("asked-by-consumer", **options, group_id="eager")
    with pytest.raises(KafkaError):
        await consumer.start()
    await consumer.stop()
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    await admin.describe_topics(["asked-by-admin"])
    await admin.close()
    assert {} == {name: count for name, count in (await topics(eager)).items() if "-by-" in name}


async def test_an_ingress_started_before_init_leaves_the_topics_to_it(
    servers: Servers, eager: Broker, tmp_path: Path
) -> None:
    name = "before-init"
    declare(servers.mongodb, name)
    with MongoClient[dict[str, Any]](servers.mongodb) as client:
        client[name]["lineages"].drop()  # it is init's to start
    with ingress_process(config(tmp_path, eager.address(), servers.mongodb, name, apply_timeout_seconds=0)) as running:
        async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_SECONDS):
            while "kafka_lost" not in running.log.read_text():  # noqa: ASYNC110 another process
                await asyncio.sleep(0.05)
            assert (
                f"there is no topic {name}" in running.log.read_text() or analytics_of(name) in running.log.read_text()
            )
            assert {"kafka", "kafka analytics", "start check"} <= set(await running.missing(session))
            assert not {name, analytics_of(name)} & (await topics(eager)).keys()
            assert not wrong(await initialise(settings(eager, servers, name)))
            await until_ready(running, session)
    assert {6} == {count for topic, count in (await topics(eager)).items() if topic in (name, analytics_of(name))}


def settings(broker: Broker, servers: Servers, name: str) -> Settings:
    kafka = {"bootstrap_servers": broker.address(), "records_topic": name, "analytics_topic": analytics_of(name)}
    return Settings.model_validate({"kafka": kafka, "mongodb": {"uri": servers.mongodb, "database": name}})
