"""Partitions that no worker reads, and clocks that differ: two checks of `tallymill doctor`."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer

from consumer.core.unread import PartitionProgress, UnreadPartitions
from consumer.unread import read_progress
from ops.lineage.store import Database

# A worker that reads records moves a checkpoint about once a second.
WATCHED_SECONDS = 3.0

# As the ingress: clocks kept by NTP are within some ten milliseconds of each other.
CLOCK_SECONDS = 2.0


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


def clock_difference(hello: Mapping[str, Any], before: datetime, after: datetime) -> str | None:
    """A sentence if this machine's clock differs from MongoDB's, which answered between the two times."""
    stamp = hello["localTime"].replace(tzinfo=UTC)
    ahead = max(0.0, (before - stamp).total_seconds()) + min(0.0, (after - stamp).total_seconds())
    if abs(ahead) < CLOCK_SECONDS:
        return None
    return (
        f"this machine's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} MongoDB's. If an ingress "
        "runs here, it accepts or refuses periods by this clock. tallymill_ingress_clock_skew_seconds also has Kafka's"
    )
