"""Watches all partitions of a topic for records that no worker reads. Such a partition is in no worker's lag.

Each check has connections and metadata of its own, so it does not depend on the worker's reader. After a failed check
the numbers are unknown, never zero.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from consumer.config import WorkerConfig
from consumer.core.unread import PartitionProgress, UnreadPartitions
from consumer.metrics import WorkerMetrics
from consumer.mongo.transactions import Document
from schemas.documents import CHECKPOINTS, LINEAGES, owned_by
from schemas.settings import Api, KafkaSettings
from serving.failures import report
from serving.kafka.bootstrap import NotReached, bootstrap_options
from serving.kafka.client import UnusableFile

log = structlog.get_logger()

CHECK_SECONDS = 5.0
# Of a whole check, so that one frozen broker does not fail it.
ANSWER_SECONDS = 15.0

FAILURES = (KafkaError, NotReached, UnusableFile, PyMongoError, OSError, TimeoutError)


async def read_progress(
    consumer: AIOKafkaConsumer, database: AsyncDatabase[dict[str, Any]], topic: str
) -> Mapping[int, PartitionProgress]:
    """The checkpoint and the log of each partition of the topic's newest lineage. Raises KafkaError, PyMongoError."""
    nexts = await _next_offsets(database, topic)
    client = consumer._client  # noqa: SLF001 a consumer without a subscription has no metadata of the topic
    await client.add_topic(topic)
    await client.force_metadata_update()
    ours = [TopicPartition(topic, partition) for partition in sorted(consumer.partitions_for_topic(topic) or ())]
    if not ours:
        return {}
    begins, ends = await consumer.beginning_offsets(ours), await consumer.end_offsets(ours)
    return {one.partition: PartitionProgress(begins[one], ends[one], nexts.get(one.partition)) for one in ours}


async def _next_offsets(database: AsyncDatabase[dict[str, Any]], topic: str) -> dict[int, int]:
    newest = await database[LINEAGES].find_one({"topic": topic}, sort=[("generation", -1)])
    if newest is None:
        return {}
    found = database[CHECKPOINTS].find(owned_by(newest["_id"]), {"next": 1})
    return {int(one["_id"].rpartition("/")[2]): one["next"] async for one in found}


@contextlib.asynccontextmanager
async def all_reader(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group, connected. Raises NotReached, KafkaError, UnusableFile."""
    options = await bootstrap_options(kafka, "tallymill-worker-watch")
    consumer = AIOKafkaConsumer(
        **options, group_id=None, enable_auto_commit=False, isolation_level="read_committed", auto_offset_reset="none"
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


class UnreadWatch:
    """Sets the metrics of one API's topic, and logs when no worker reads a partition and when it is read again."""

    def __init__(
        self, kafka: KafkaSettings, api: Api, database: AsyncDatabase[dict[str, Any]], metrics: WorkerMetrics
    ) -> None:
        self._kafka = kafka
        self._api: Api = api
        self._database = database.with_options(read_concern=ReadConcern("majority"))
        self._metrics = metrics
        self._partitions = UnreadPartitions()
        self._since: dict[int, float] = {}

    async def run(self) -> None:
        """Check until cancelled."""
        self._metrics.unread(self._api, None)
        try:
            while True:
                try:
                    async with all_reader(self._kafka) as consumer:
                        await self._check_with(consumer)
                except FAILURES:
                    pass  # the worker logs outages
                except Exception as error:  # noqa: BLE001 a document that was changed by hand, for example
                    report(error, task="watch of unread partitions")
                self._metrics.unread(self._api, None)
                await asyncio.sleep(CHECK_SECONDS)
        finally:
            self._metrics.unread(self._api, None)

    async def _check_with(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await read_progress(consumer, self._database, self._kafka.topic(self._api))
            now = time.monotonic()
            unread = self._partitions.update(found, now)
            self._metrics.unread(self._api, unread)
            self._tell(unread, now)
            await asyncio.sleep(CHECK_SECONDS)

    def _tell(self, unread: Mapping[int, int], now: float) -> None:
        if new := {p: records for p, records in unread.items() if p not in self._since}:
            reason = "no worker has taken them, or their worker makes no progress"
            records = sum(new.values())
            log.warning("partitions_unread", api=self._api, partitions=list(new), records=records, reason=reason)
        if read := [p for p in self._since if p not in unread]:
            seconds = round(now - min(self._since[p] for p in read), 1)
            log.info("partitions_read", api=self._api, partitions=read, seconds=seconds)
        self._since = {p: self._since.get(p, now) for p in unread}


@contextlib.asynccontextmanager
async def watch_unread(
    config: WorkerConfig, client: AsyncMongoClient[Document], metrics: WorkerMetrics
) -> AsyncIterator[None]:
    """Watch the topics of all APIs of this worker, until the block ends."""
    database = client.get_database(config.mongodb.database)
    watches = [UnreadWatch(config.kafka, api, database, metrics) for api in config.worker.apis]
    tasks = [asyncio.create_task(watch.run(), name="watch unread partitions") for watch in watches]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for end in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(end, Exception):
                report(end, task="watch of unread partitions")
