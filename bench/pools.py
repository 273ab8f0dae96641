"""The pools of a benchmark: so many items each, sealed as an ingress seals them, and what they count."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator

from aiokafka import AIOKafkaProducer

from bench.records import WINDOW
from ops.config import Settings
from schemas.analytics.body import JSON_TYPE
from schemas.records.envelope import Owner
from schemas.records.pools import PoolJudgement, seal_pool
from schemas.records.signing import SigningKeys, signing_keys
from serving.kafka.client import client_options

APP = "bench"
TITLES = ("Navigation", "Search", "Purchase", "Share")
# base64 of a film's description, as phones send it
MEDIA = "eyJNb3ZpZSI6ICJBIGZpbG0iLCAiTGFuZ3VhZ2UiOiAicHQtQlIifQ"

Made = tuple[bytes, bytes, list[tuple[str, bytes]], list[str]]
"""Key, value and headers of a record, and the titles of its items."""


def make_bodies(count: int, items: int, now_millis: int, seed: int = 1) -> Iterator[tuple[bytes, list[str]]]:
    """`count` bodies of AddEventBatch, each item another, and the titles of their items."""
    chance = random.Random(seed)  # noqa: S311 a benchmark, no secret
    for number in range(count):
        titles = [chance.choice(TITLES) for _ in range(items)]
        sent = [
            {
                "Timestamp": str(now_millis - chance.randrange(3_600_000)),
                "Event": title,
                "Data": [{"Page": f"/{title}", "n": number * items + i}, {"Duration": chance.randrange(1_000)}],
            }
            for i, title in enumerate(titles)
        ]
        yield json.dumps({"Token": "", "mediaInfo": MEDIA, "eventData": sent}).encode(), titles


def make_pools(count: int, items: int, players: int, keys: SigningKeys) -> Iterator[Made]:
    """`count` pools, sealed as an ingress seals them."""
    chance = random.Random(2)  # noqa: S311 a benchmark, no secret
    now = time.time_ns() // 1_000_000
    for body, titles in make_bodies(count, items, now):
        owner = Owner(APP, f"player-{chance.randrange(players)}", now)
        key, headers = seal_pool(owner, PoolJudgement(), JSON_TYPE, body, keys)
        yield key, body, headers, titles


async def fill_pools(settings: Settings, count: int, items: int, players: int) -> Counter[str]:
    """Fill the analytics topic. Returns what it counts, by title."""
    expected: Counter[str] = Counter()
    pending: list[asyncio.Future[object]] = []
    options = client_options(settings.kafka)
    async with AIOKafkaProducer(
        **options, acks="all", compression_type="lz4", linger_ms=5, max_batch_size=1 << 20, max_request_size=16 << 20
    ) as producer:
        for key, body, headers, titles in make_pools(count, items, players, signing_keys(settings.signing)):
            pending.append(await producer.send(settings.kafka.analytics_topic, body, key=key, headers=headers))
            expected.update(titles)
            if len(pending) == WINDOW:
                await asyncio.gather(*pending)
                pending.clear()
        await asyncio.gather(*pending)
    return expected
