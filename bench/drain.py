"""Drain a topic into MongoDB, sums verified, against doing it the naive way: records/s, CPU and memory, as ratios.

    make bench ARGS="--records 100000 --workers 1"

The naive way: aiokafka, and for each record one insert of its id and one upsert of its player, w:majority.
"""

import argparse
import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer
from pymongo import AsyncMongoClient, WriteConcern
from pymongo.errors import DuplicateKeyError

from bench.place import Place, cpu_seconds, now, peak_memory_mib, servers, workers
from bench.records import APP, fill
from ops.config import Settings
from ops.init import initialise, wrong
from schemas.documents import CHECKPOINTS, PLAYERS

POLL_SECONDS = 0.05
GIVE_UP_SECONDS = 900
# A rate of a few hundred records a second needs no more of them to be told.
NAIVE_RECORDS = 2_000


@dataclass(frozen=True, slots=True)
class Drained:
    """What draining so many records took. CPU in microseconds a record."""

    records: int
    seconds: float
    worker_cpu: float
    mongod_cpu: float
    peak_mib: float

    @property
    def rate(self) -> float:
        return self.records / self.seconds


async def drain(place: Place, settings: Settings, count: int, worker_count: int) -> Drained:
    """Start workers on a full topic; the clock runs from their first applied record to the last."""
    async with AsyncMongoClient[dict[str, Any]](place.mongodb) as client:
        checkpoints = client[settings.mongodb.database][CHECKPOINTS]
        with workers(settings, worker_count) as pids:
            first = await _applied_at_least(checkpoints, 1)
            before = [cpu_seconds(pid) for pid in (place.mongod_pid, *pids)]
            started = now()
            await _applied_at_least(checkpoints, count)
            seconds = now() - started
            mongod, *own = (cpu_seconds(pid) - was for pid, was in zip((place.mongod_pid, *pids), before, strict=True))
            peak = max(peak_memory_mib(pid) for pid in pids)
    measured = count - first
    return Drained(measured, seconds, sum(own) / measured * 1e6, mongod / measured * 1e6, peak)


async def _applied_at_least(checkpoints: Any, count: int) -> int:  # noqa: ANN401 a pymongo collection
    give_up = now() + GIVE_UP_SECONDS
    while now() < give_up:
        applied = sum([checkpoint["next"] async for checkpoint in checkpoints.find()])
        if applied >= count:
            return int(applied)
        await asyncio.sleep(POLL_SECONDS)
    raise TimeoutError(f"{count} records were not applied in {GIVE_UP_SECONDS} s")


async def verify(place: Place, settings: Settings, expected: Counter[tuple[str, str]]) -> None:
    """Every player's every total."""
    found: Counter[tuple[str, str]] = Counter()
    async with AsyncMongoClient[dict[str, Any]](place.mongodb) as client:
        async for player in client[settings.mongodb.database][PLAYERS].find():
            for event, count in player["totals"].items():
                found[player["_id"], event] = count
    assert expected == found, "sums differ"


async def naive(place: Place, settings: Settings, count: int) -> Drained:
    """One insert and one upsert a record."""
    topic = settings.kafka.records_topic
    async with AsyncMongoClient[dict[str, Any]](place.mongodb) as client:
        database = client.get_database(
            f"{settings.mongodb.database}-naive", write_concern=WriteConcern("majority", j=True)
        )
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=place.kafka, auto_offset_reset="earliest")
        await consumer.start()
        try:
            done, started, mongod = 0, now(), cpu_seconds(place.mongod_pid)
            async for record in consumer:
                await _count_naively(database, record.key.decode(), json.loads(record.value))
                done += 1
                if done == count:
                    break
            return Drained(count, now() - started, 0, (cpu_seconds(place.mongod_pid) - mongod) / count * 1e6, 0)
        finally:
            await consumer.stop()


async def _count_naively(database: Any, actor: str, body: dict[str, Any]) -> None:  # noqa: ANN401 a pymongo database
    sums: Counter[str] = Counter()
    for period in body["timePeriods"]:
        for update in period["updates"]:
            sums[f"totals.{update['definitionId']}"] += int(update["updateCount"])
    try:
        await database.requests.insert_one({"_id": f"{actor}/{body['requestId']}"})
    except DuplicateKeyError:
        return
    await database.players.update_one({"_id": actor}, {"$inc": sums}, upsert=True)


async def run(records: int, worker_count: int, players: int, partitions: int) -> None:
    with servers() as place:
        settings = place.settings(partitions)
        assert not wrong(await initialise(settings))
        expected = await fill(settings, records, players)
        ours = await drain(place, settings, records, worker_count)
        await verify(place, settings, expected)
        theirs = await naive(place, settings, min(NAIVE_RECORDS, records))
    print(f"{records} records of app {APP}, {players} players, {partitions} partitions, {worker_count} worker(s)")
    print(f"drained      {ours.rate:8.0f} records/s, sums right to the unit")
    print(f"worker       {ours.worker_cpu:8.1f} us of CPU a record, peak {ours.peak_mib:.0f} MiB")
    print(f"mongod       {ours.mongod_cpu:8.1f} us of CPU a record")
    print(f"naive        {theirs.rate:8.0f} records/s, mongod {theirs.mongod_cpu:.1f} us of CPU a record")
    print(f"ratio        {ours.rate / theirs.rate:8.1f} x the naive way")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--players", type=int, default=50_000)
    parser.add_argument("--partitions", type=int, default=6)
    options = parser.parse_args()
    asyncio.run(run(options.records, options.workers, options.players, options.partitions))


if __name__ == "__main__":
    main()
