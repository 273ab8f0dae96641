"""A worker over the log in memory and a real MongoDB, in this process: what MongoDB's errors make of records."""

import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pymongo import AsyncMongoClient

from consumer.core.records import Record
from consumer.memory import MemorySource
from consumer.mongo.store import MongoStore, OnStep
from consumer.parts import Parts
from consumer.ports import TopicIdentity
from consumer.worker import Worker
from schemas.documents import LINEAGES
from tests.consumer.parts import TOPIC, parts, running
from tests.consumer.sums import Sent, declare, now_millis
from tests.real import Place, settings_of
from tests.servers import Servers

APP_NAME = "tallymill-worker"


@dataclass(frozen=True, slots=True)
class MongoPlace:
    """A new database, a log in memory, and the parts of a worker that uses both."""

    place: Place
    log: MemorySource
    parts: Parts

    def append(self, sent: Iterable[Sent]) -> None:
        """Into the log, each at the next offset of its partition."""
        for one in sent:
            before = self.log.records[one.partition]
            offset = before[-1].offset + 1 if before else 0
            _, _, key, value, headers, _ = one.record
            self.log.append(one.partition, Record(offset, now_millis(), key, value, headers))

    def sample(self, name: str, **labels: str) -> float | None:
        return self.parts.metrics.registry.get_sample_value(name, labels)

    async def stopped(self, partition: int) -> str:
        found = (await self.place.documents("checkpoints")).get(f"r1/{partition:02}", {})
        return str(found.get("stopped", ""))


@asynccontextmanager
async def mongo_place(
    mongodb: str, partitions: int = 1, on_step: OnStep = lambda _, __: None, **settings: object
) -> AsyncIterator[MongoPlace]:
    """Removed afterwards."""
    of_its_own = settings_of(Servers("127.0.0.1:1", mongodb))
    name = f"test-{secrets.token_hex(6)}"
    async with (
        AsyncMongoClient[dict[str, Any]](mongodb, tz_aware=True) as client,
        AsyncMongoClient[dict[str, Any]](mongodb, tz_aware=True, appname=APP_NAME) as workers_client,
    ):
        where = Place(of_its_own, client[name])
        await declare(where)
        await where.database[LINEAGES].insert_one({"_id": "r1", **_lineage(TOPIC)})
        log = MemorySource(partitions, TOPIC)
        yield MongoPlace(where, log, parts(log, MongoStore(workers_client, name, on_step), None, **settings))
        await client.drop_database(name)


def _lineage(topic: TopicIdentity) -> dict[str, object]:
    return {"cluster": topic.cluster, "topic": topic.topic, "topicId": topic.topic_id, "generation": 1}


@asynccontextmanager
async def at_work(made: MongoPlace) -> AsyncIterator[Worker]:
    async with running(made.parts) as worker:
        yield worker
