"""The same ids in all partitions of both topics at once, as if no two senders agreed on where a key belongs.

While partitions are added two ingresses may disagree for a moment, so one id may come to two partitions. Here every
id comes to every partition, which is the worst case.
"""

import asyncio
import time
from collections.abc import Mapping
from itertools import islice
from typing import Any

from aiokafka import AIOKafkaProducer

from schemas.documents import CHECKPOINTS, EVENTS, PLAYERS
from tests.faults.cluster.stage.requests import ITEMS, analytics_requests, games_requests
from tests.faults.cluster.stage.system import APP
from tests.growing.stage import Stage
from tests.patience import PATIENCE_SECONDS

IDS = 60
"""Batches, and as many pools; one a player, of one event or two items."""
PLAYER = "everywhere"


async def bring_at_once(stage: Stage, partitions: int) -> None:
    """Produce each of them to each partition. Returns when the workers have passed them."""
    now = time.time_ns() // 1_000_000
    games, analytics = stage.system.topics
    lineages = {games: "r1", analytics: "r2"}
    async with AIOKafkaProducer(bootstrap_servers=stage.kafka, acks="all") as producer:
        acks = [
            await producer.send(topic, one.body, key=f"{APP}/{PLAYER}-{number}".encode(), partition=partition)
            for topic, requests in ((games, games_requests(now)), (analytics, analytics_requests(now)))
            for number, one in enumerate(islice(requests, IDS))
            for partition in range(partitions)
        ]
        written = await asyncio.gather(*acks)
    ends: dict[str, int] = {}
    for one in written:
        key = f"{lineages[one.topic]}/{one.partition:02}"
        ends[key] = max(ends.get(key, 0), one.offset + 1)
    assert 2 * partitions == len(ends)
    await _until_passed(stage, ends)


async def each_counted_once(stage: Stage) -> None:
    """Nothing of them is lost, and nothing counts twice."""
    players = stage.database[PLAYERS].find({"_id": {"$regex": f"^{APP}/{PLAYER}-"}})
    totals = [total async for one in players for total in one["totals"].values()]
    assert [1] * IDS == totals
    assert IDS * ITEMS == await stage.database[EVENTS].count_documents({"actor": {"$regex": f"^{PLAYER}-"}})


async def _until_passed(stage: Stage, ends: Mapping[str, int]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        found: dict[str, Any] = {one["_id"]: one["next"] async for one in stage.database[CHECKPOINTS].find()}
        if all(found.get(key, 0) >= end for key, end in ends.items()):
            return
        assert time.monotonic() < give_up, f"not counted: {found}, but {ends} was written"
        await asyncio.sleep(0.05)
