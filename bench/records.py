"""The records of a benchmark: batches of 2 periods x 2 updates, sealed as an ingress seals them, and their sums."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from ops.config import Settings
from schemas.games.judging import Judgement
from schemas.records.envelope import Envelope, seal
from schemas.records.signing import SigningKeys, signing_keys
from serving.kafka.client import client_options

APP = "bench"
EVENTS = ("LEVEL_UP", "ENEMY_DEFEATED", "COIN_FOUND", "SECRET_FOUND")
MINUTE_MILLIS = 60_000

IDS_OF_A_SEED = 10**9

# Sends that wait for their acks at once while a topic is filled.
WINDOW = 5_000


Sums = Counter[tuple[str, str]]
"""What records count, by (app/player, event)."""


@dataclass(frozen=True, slots=True)
class Made:
    """One record to be produced, and what it counts."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    player: str
    counts: tuple[tuple[str, int], ...]


def make_records(count: int, players: int, keys: SigningKeys, seed: int = 1) -> Iterator[Made]:
    """`count` records of about 830 bytes, each with a different id, also from those of other seeds."""
    chance = random.Random(seed)  # noqa: S311 a benchmark, no secret
    now, first = time.time_ns() // 1_000_000, seed * IDS_OF_A_SEED
    for request_id in range(first, first + count):
        yield _make(request_id, f"player-{chance.randrange(players)}", now, keys, chance)


def _make(request_id: int, player: str, now: int, keys: SigningKeys, chance: random.Random) -> Made:
    body, counts = body_of(request_id, now, chance)
    key, headers = seal(Envelope(APP, player, now, Judgement()), request_id, body, keys)
    return Made(key, body, headers, player, counts)


def body_of(request_id: int, now: int, chance: random.Random) -> tuple[bytes, tuple[tuple[str, int], ...]]:
    """A batch as a client sends it, and what it counts."""
    periods, counts = [], []
    for _ in range(2):
        start = (now // MINUTE_MILLIS - chance.randrange(1, 60)) * MINUTE_MILLIS
        updates = [(event, chance.randint(1, 5)) for event in chance.sample(EVENTS, 2)]
        counts += updates
        periods.append(_period(start, updates))
    body = json.dumps(
        {
            "kind": "games#eventRecordRequest",
            "requestId": str(request_id),
            "currentTimeMillis": str(now),
            "timePeriods": periods,
        }
    ).encode()
    return body, tuple(counts)


def _period(start: int, updates: list[tuple[str, int]]) -> dict[str, object]:
    return {
        "kind": "games#eventPeriodUpdate",
        "timePeriod": {
            "kind": "games#eventPeriodRange",
            "periodStartMillis": str(start),
            "periodEndMillis": str(start + MINUTE_MILLIS),
        },
        "updates": [
            {"kind": "games#eventUpdateRequest", "definitionId": event, "updateCount": str(n)} for event, n in updates
        ],
    }


async def fill(settings: Settings, count: int, players: int, seed: int = 1) -> Sums:
    """Fill the topic. Returns what it counts."""
    async with AIOKafkaProducer(
        **client_options(settings.kafka), acks="all", compression_type="lz4", linger_ms=5, max_batch_size=1 << 18
    ) as producer:
        made = make_records(count, players, signing_keys(settings.signing), seed)
        return await send_all(producer, settings.kafka.records_topic, made)


async def send_all(producer: AIOKafkaProducer, topic: str, made: Iterable[Made]) -> Sums:
    """Send records and wait for their acks. Returns what they count."""
    sums = Sums()
    pending: list[asyncio.Future[object]] = []
    for one in made:
        pending.append(await producer.send(topic, one.value, key=one.key, headers=one.headers))
        for event, count in one.counts:
            sums[f"{APP}/{one.player}", event] += count
        if len(pending) == WINDOW:
            await asyncio.gather(*pending)
            pending.clear()
    await asyncio.gather(*pending)
    return sums
