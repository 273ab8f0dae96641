"""What was sent, and whether MongoDB has exactly that: a recount that shares nothing with the worker's planning."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from aiokafka import AIOKafkaProducer

from consumer.core.records import Record
from ops.config import Settings
from schemas.definitions import Definition
from schemas.documents import CHECKPOINTS, DEAD_LETTERS, DEFINITIONS, EXCEPTIONS, PERIOD_COUNTS, PLAYERS, REQUESTS, utc
from tests.patience import PATIENCE_SECONDS
from tests.real import Place
from tests.samples import DAY, HOUR, MINUTE, batch, period, pool, sealed, sealed_pool, update
from tests.stored_ids import stored_ids

# The hour before the one in which this process began: all periods lie in it, and those of one id stay the same though
# the clock's hour ends between two of its records.
PERIODS_HOUR = time.time_ns() // 1_000_000 // HOUR * HOUR - HOUR

Outcome = Literal["counts", "refused", "dead"]
EVENT = "LEVEL_UP"


def now_millis() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Sent:
    """One record and what must come of it. One that counts does so once an id, wherever and however often sent."""

    partition: int
    record: Record
    outcome: Outcome = "counts"
    player: str = ""
    request_id: int = 0
    start_millis: int = 0
    count: int = 0


def counting(partition: int, request_id: int, player: str = "ann", *, count: int = 1, raw: bool = False) -> Sent:
    """A record as an ingress writes it, or as a pipeline that knows no ingress does."""
    # One minute for each id, and the same one when it is sent again.
    start = PERIODS_HOUR + request_id % 60 * MINUTE
    body = batch(period(update(count=str(count)), start=start), request_id=str(request_id))
    made = sealed(0, body, request_id=request_id, player=player)
    record = Record(0, 0, f"demo/{player}".encode(), body, []) if raw else made
    return Sent(partition, record, "counts", player, request_id, start, count)


def fresh_pool(*items: object, **more: object) -> Record:
    """A pool of items as an ingress writes it now: events are kept by the time they were received, and then removed."""
    return sealed_pool(0, pool(*items, **more), received_millis=now_millis())


def undeclared(partition: int, request_id: int) -> Sent:
    """A raw record of an undeclared event: refused."""
    body = batch(period(update("NOPE"), start=now_millis() - HOUR), request_id=str(request_id))
    return Sent(partition, Record(0, 0, b"demo/ann", body, []), "refused")


def garbage(partition: int) -> Sent:
    return Sent(partition, Record(0, 0, None, b"\xff\x00 nobody can read this", []), "dead")


def mixed(partition: int, first_id: int, rounds: int) -> list[Sent]:
    """Sealed, duplicate, raw, refused and unreadable records, in turns: 7 a round, of which 4 count."""
    sent: list[Sent] = []
    for number in range(first_id, first_id + rounds * 10, 10):
        mine = counting(partition, number, count=3)
        raw = counting(partition, number + 1, raw=True, player="bob")
        sent += [mine, raw, mine, undeclared(partition, number + 2), counting(partition, number + 3)]
        sent += [garbage(partition), counting(partition, number + 4, player="bob", count=2)]
    return sent


async def declare(where: Place) -> None:
    """The one event that raw records may count for."""
    definition = Definition(
        app="demo", definition_id=EVENT, default_language="en", names={"en": "x"}, declared_at=utc(now_millis() - DAY)
    )
    await where.database[DEFINITIONS].replace_one({"_id": f"demo/{EVENT}"}, definition.document(), upsert=True)


async def send(settings: Settings, sent: Iterable[Sent]) -> None:
    """Into Kafka, in order."""
    servers = settings.kafka.bootstrap_servers
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True) as producer:
        await send_with(producer, settings.kafka.records_topic, sent)


async def send_with(producer: AIOKafkaProducer, topic: str, sent: Iterable[Sent]) -> None:
    acks = [
        await producer.send(
            topic, one.record.value, key=one.record.key, partition=one.partition, headers=list(one.record.headers)
        )
        for one in sent
    ]
    await asyncio.gather(*acks)


async def checkpoints(where: Place) -> dict[str, Any]:
    return await where.documents(CHECKPOINTS)


async def until_applied(where: Place, offsets: int, seconds: float = PATIENCE_SECONDS) -> None:
    """Until the checkpoints of all partitions add up to so many offsets."""
    give_up = time.monotonic() + seconds
    while (applied := sum(found["next"] for found in (await checkpoints(where)).values())) < offsets:
        assert time.monotonic() < give_up, f"{applied} of {offsets} offsets applied in {seconds:g} s"
        await asyncio.sleep(0.05)


async def assert_exact(where: Place, sent: Sequence[Sent], gaps: int = 0) -> None:
    """Every sum to the unit: players, buckets, ids, fates, exceptions, dead letters, offsets."""
    once = {(one.player, one.request_id): one for one in sent if one.outcome == "counts"}
    assert await _players(where) == _totals(once.values())
    assert await _buckets(where) == _minutes(once.values())
    stored = stored_ids((await where.documents(REQUESTS)).values())
    assert {f"demo/{player}/{number}" for player, number in once} == stored.keys()
    outcomes = Counter(one.outcome for one in sent)
    fates = {
        "applied": len(once),
        "duplicate": outcomes["counts"] - len(once),
        "refused": outcomes["refused"],
        "dead": outcomes["dead"],
    }
    found = (await checkpoints(where)).values()
    assert fates == {fate: sum(one["fates"][fate] for one in found) for fate in fates}
    assert [sum(one["fates"].values()) + one["gaps"] for one in found] == [one["next"] - one["start"] for one in found]
    assert sum(one["next"] for one in found) == len(sent) + gaps
    exceptions = Counter(one["fate"] for one in (await where.documents(EXCEPTIONS)).values())
    assert {fate: exceptions[fate] for fate in fates} == fates | {"applied": 0}
    assert len(await where.documents(DEAD_LETTERS)) == fates["dead"]


async def _players(where: Place) -> dict[str, dict[str, int]]:
    return {key: player["totals"] for key, player in (await where.documents(PLAYERS)).items()}


def _totals(once: Iterable[Sent]) -> dict[str, dict[str, int]]:
    totals: Counter[str] = Counter()
    for one in once:
        totals[f"demo/{one.player}"] += one.count
    return {player: {EVENT: total} for player, total in totals.items()}


async def _buckets(where: Place) -> dict[datetime, int]:
    """Counts by minute, over all partitions; each hour's `count` is the sum of its minutes."""
    minutes: Counter[datetime] = Counter()
    for hour in (await where.documents(PERIOD_COUNTS)).values():
        assert hour["count"] == sum(hour["minutes"].values())
        for minute, count in hour["minutes"].items():
            minutes[hour["hour"].replace(minute=int(minute))] += count
    return dict(minutes)


def _minutes(once: Iterable[Sent]) -> dict[datetime, int]:
    minutes: Counter[datetime] = Counter()
    for one in once:
        minutes[utc(one.start_millis // MINUTE * MINUTE)] += one.count
    return dict(minutes)
