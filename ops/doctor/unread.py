"""Partitions that no worker reads: a check of `tallymill doctor`."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer

from consumer.core.unread import PartitionProgress, UnreadPartitions
from consumer.unread import read_progress
from ops.lineage.store import Database

# A worker that reads records moves a checkpoint about once a second.
WATCHED_SECONDS = 3.0


async def unread_partitions(consumer: AIOKafkaConsumer, db: Database, topic: str) -> list[str]:
    """A sentence for each unread partition; checked twice if records wait. Raises KafkaError, PyMongoError."""
    partitions = UnreadPartitions(stands_seconds=WATCHED_SECONDS)
    found = await read_progress(consumer, db, topic)
    unread = partitions.update(found, time.monotonic())
    if any(one.waiting for one in found.values()):
        await asyncio.sleep(WATCHED_SECONDS)
        found = await read_progress(consumer, db, topic)
        unread = partitions.update(found, time.monotonic())
    return [_sentence(partition, found[partition], records) for partition, records in unread.items()]


def _sentence(partition: int, found: PartitionProgress, records: int) -> str:
    why = "no worker has read it yet" if found.next_offset is None else "its checkpoint does not move"
    return f"no worker reads partition {partition}: {records} records wait, {why}"
