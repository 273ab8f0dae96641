"""The careful way: aiokafka's getmany, pydantic, insert_many of ids, bulk_write of sums, then the group's offsets.

It counts what a worker counts, totals of players and buckets by minute, but not exactly once: a crash between the ids
and the sums loses a batch, and one between two bulks leaves a part of it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from pymongo import UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

from ops.config import load_settings
from ops.connect import database
from schemas.games.models import EventRecordRequest

Database = AsyncDatabase[dict[str, Any]]
Batches = dict[str, tuple[str, EventRecordRequest]]
"""`app/player` and body by request key."""

REQUESTS = "requests"
PLAYERS = "players"
PERIOD_COUNTS = "period_counts"

DUPLICATE_KEY_CODE = 11000
# Of one bulk. Without a bound getmany returns 30,000 records of a backlog at once.
MAX_RECORDS = 5_000
MINUTE_MILLIS = 60_000


async def run() -> None:
    """Count until killed."""
    settings = load_settings()
    kafka = settings.kafka
    consumer = AIOKafkaConsumer(
        kafka.records_topic,
        **kafka.client_options(),
        group_id=kafka.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=settings.worker.max_partition_fetch_bytes,
        max_poll_interval_ms=600_000,
    )
    async with database(settings) as db, consumer:
        while True:
            fetched = await consumer.getmany(timeout_ms=200, max_records=MAX_RECORDS)
            if records := [record for part in fetched.values() for record in part]:
                await count(db, records)
                await consumer.commit()


async def count(db: Database, records: Sequence[ConsumerRecord]) -> None:
    batches: Batches = {}
    for record in records:
        actor, request = record.key.decode(), EventRecordRequest.model_validate_json(record.value)
        batches.setdefault(f"{actor}/{request.request_id}", (actor, request))
    for seen in await _already_seen(db, batches):
        del batches[seen]
    await db[PLAYERS].bulk_write(_players(batches.values()), ordered=False)
    await db[PERIOD_COUNTS].bulk_write(_period_counts(batches.values()), ordered=False)


async def _already_seen(db: Database, batches: Batches) -> list[str]:
    """Insert all ids. Returns those that were stored before: repeats."""
    try:
        await db[REQUESTS].insert_many(({"_id": key} for key in batches), ordered=False)
    except BulkWriteError as error:
        failed = error.details["writeErrors"] if error.details else []
        if any(one["code"] != DUPLICATE_KEY_CODE for one in failed):
            raise
        return [one["op"]["_id"] for one in failed]
    return []


def _players(batches: Iterable[tuple[str, EventRecordRequest]]) -> list[UpdateOne]:
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for actor, request in batches:
        for period in request.time_periods:
            for update in period.updates:
                sums[actor][f"totals.{update.definition_id}"] += update.update_count
    return [UpdateOne({"_id": actor}, {"$inc": counts}, upsert=True) for actor, counts in sums.items()]


def _period_counts(batches: Iterable[tuple[str, EventRecordRequest]]) -> list[UpdateOne]:
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for actor, request in batches:
        app = actor.partition("/")[0]
        for period in request.time_periods:
            hour, minute = divmod(period.time_period.period_start_millis // MINUTE_MILLIS, 60)
            for update in period.updates:
                sums[f"{hour}/{app}/{update.definition_id}"][f"minutes.{minute:02}"] += update.update_count
    return [UpdateOne({"_id": key}, {"$inc": counts}, upsert=True) for key, counts in sums.items()]


if __name__ == "__main__":
    uvloop.run(run())
