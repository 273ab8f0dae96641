"""Partitions that nobody reads, and clocks, as `tallymill doctor` finds them."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer

from consumer.core.unread import PartitionLook, UnreadPartitions
from consumer.unread import look
from ops.lineage.store import Database

# A worker at work moves a checkpoint every second or so.
WATCHED_SECONDS = 3.0

# As the ingress: clocks kept by NTP are within some ten milliseconds of each other.
CLOCK_SECONDS = 2.0


async def unread_partitions(consumer: AIOKafkaConsumer, db: Database, topic: str) -> list[str]:
    """A sentence for each that nobody reads. Looks twice where records wait. Raises KafkaError, PyMongoError."""
    partitions = UnreadPartitions(stands_seconds=WATCHED_SECONDS)
    found = await look(consumer, db, topic)
    unread = partitions.looked(found, time.monotonic())
    if any(one.waiting for one in found.values()):
        await asyncio.sleep(WATCHED_SECONDS)
        found = await look(consumer, db, topic)
        unread = partitions.looked(found, time.monotonic())
    return [_sentence(partition, found[partition], records) for partition, records in unread.items()]


def _sentence(partition: int, found: PartitionLook, records: int) -> str:
    never = "no worker has taken it yet" if found.next_offset is None else "its checkpoint stands"
    return f"nobody reads partition {partition}: {records} records wait, {never}"


def clock_difference(hello: Mapping[str, Any], before: datetime, after: datetime) -> str | None:
    """What is to be said of this machine's clock, held against MongoDB's, which answered in between."""
    stamp = hello["localTime"].replace(tzinfo=UTC)
    ahead = max(0.0, (before - stamp).total_seconds()) + min(0.0, (after - stamp).total_seconds())
    if abs(ahead) < CLOCK_SECONDS:
        return None
    return (
        f"this machine's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} MongoDB's. An ingress "
        "judges periods by its own clock: look at tallymill_ingress_clock_skew_seconds, which knows Kafka's as well"
    )
