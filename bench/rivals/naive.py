"""The naive way: aiokafka, and for each record one insert of its id and one upsert of its player, w:majority."""

import json
from collections import Counter
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from ops.config import load_settings
from ops.connect import database

REQUESTS = "requests"
PLAYERS = "players"


async def run() -> None:
    """Count until killed."""
    settings = load_settings()
    kafka = settings.kafka
    consumer = AIOKafkaConsumer(
        kafka.records_topic, **kafka.client_options(), group_id=kafka.group, auto_offset_reset="earliest"
    )
    async with database(settings) as db, consumer:
        async for record in consumer:
            await count(db, record.key.decode(), json.loads(record.value))


async def count(db: AsyncDatabase[dict[str, Any]], actor: str, body: dict[str, Any]) -> None:
    sums: Counter[str] = Counter()
    for period in body["timePeriods"]:
        for update in period["updates"]:
            sums[f"totals.{update['definitionId']}"] += int(update["updateCount"])
    try:
        await db[REQUESTS].insert_one({"_id": f"{actor}/{body['requestId']}"})
    except DuplicateKeyError:
        return
    await db[PLAYERS].update_one({"_id": actor}, {"$inc": sums}, upsert=True)


if __name__ == "__main__":
    uvloop.run(run())
