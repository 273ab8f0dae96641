"""What tests on real servers share: settings of their own, a topic and a database of their own."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from consumer.core.records import Record
from ops.config import Settings
from ops.init.command import initialise, wrong
from schemas.requirements import topic_config
from tests.patience import PATIENCE_SECONDS
from tests.samples import KEYS
from tests.servers import Servers


@dataclass(frozen=True, slots=True)
class Place:
    """A topic and a database that only one test uses."""

    settings: Settings
    database: AsyncDatabase[dict[str, Any]]

    async def documents(self, collection: str) -> dict[str, Any]:
        return {document["_id"]: document async for document in self.database[collection].find()}


def settings_of(servers: Servers, partitions: int = 2, **worker: object) -> Settings:
    """Settings with a topic, a group and a database of their own."""
    name = f"test-{secrets.token_hex(6)}"
    topics = {"records_topic": name, "analytics_topic": f"{name}-analytics"}
    kafka = {"bootstrap_servers": servers.kafka, **topics, "group": name, "partitions": partitions}
    return Settings.model_validate(
        {
            "kafka": kafka,
            "mongodb": {"uri": servers.mongodb, "database": name},
            "signing": {"keys": [KEYS.keys[0].decode()]},
            "worker": {"apis": ["games"], "metrics_port": 0, "session_timeout_seconds": 6, **worker},
        }
    )


@asynccontextmanager
async def place(servers: Servers, partitions: int = 2, **worker: object) -> AsyncIterator[Place]:
    """An initialised place, removed afterwards."""
    settings = settings_of(servers, partitions, **worker)
    assert not wrong(await initialise(settings))
    async with AsyncMongoClient[dict[str, Any]](servers.mongodb, tz_aware=True) as client:
        yield Place(settings, client[settings.mongodb.database])
        await client.drop_database(settings.mongodb.database)
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
    await admin.start()
    await admin.delete_topics([settings.kafka.records_topic, settings.kafka.analytics_topic])
    await admin.close()


async def change_topic(settings: Settings, **changed: str) -> None:
    """Give the topic other settings than `init` did (`_` for `.`). They are in effect on return."""
    name = settings.kafka.records_topic
    config = topic_config(settings.kafka, settings.limits) | {n.replace("_", "."): v for n, v in changed.items()}
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap_servers)
    await admin.start()
    try:
        (answer,) = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, config)])
        assert 0 == answer.resources[0][0], answer
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not config.items() <= (await described(admin, name)).items():  # noqa: ASYNC110 Kafka has no event
                await asyncio.sleep(0.05)
    finally:
        await admin.close()


async def described(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {entry[0]: entry[1] for entry in answer.resources[0][4]}


async def produce(settings: Settings, partition: int, *records: Record) -> None:
    """Write records as they are, past any ingress."""
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap_servers, acks="all") as producer:
        for record in records:
            await producer.send_and_wait(
                settings.kafka.records_topic,
                record.value,
                key=record.key,
                partition=partition,
                headers=list(record.headers),
            )
