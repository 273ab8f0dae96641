"""The naive way with pools: aiokafka, and for each item one insert, w:majority; neither dedupes nor counts."""

import json

import uvloop
from aiokafka import AIOKafkaConsumer

from ops.config import load_settings
from ops.connect import database

ITEMS = "items"


async def run() -> None:
    """Insert until killed."""
    settings = load_settings()
    kafka = settings.kafka
    consumer = AIOKafkaConsumer(
        kafka.analytics_topic, **kafka.client_options(), group_id=kafka.group, auto_offset_reset="earliest"
    )
    async with database(settings) as db, consumer:
        async for record in consumer:
            actor = record.key.decode()
            for item in json.loads(record.value)["eventData"]:
                await db[ITEMS].insert_one({"actor": actor, **item})


if __name__ == "__main__":
    uvloop.run(run())
