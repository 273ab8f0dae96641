"""Bytes on disk for each batch and each item: in Kafka's log, and in each collection and its indexes.

    python -m bench.sizing.storage
    python -m bench.sizing.storage --batches 200000 --items 200000 --players 50000

A worker counts full topics into a new database. Then everything is written to disk, and the sizes are read: of the log
with one replica, and of the files of each collection. They depend on what clients send. A batch here has 2 periods of
2 updates, 830 bytes with its headers; an item has two objects of data, and 20 items are one pool.
"""

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient

from bench.measure import Database, applied, at_least, settle
from bench.place import Place, servers
from bench.pools import fill_pools
from bench.records import fill
from ops.config import Settings
from ops.init.command import initialise, wrong
from schemas.documents import EVENTS, PERIOD_COUNTS, PLAYERS, REQUESTS
from schemas.settings import Api

POOL = 20
PARTITIONS = 6


async def measure(place: Place, options: argparse.Namespace) -> None:
    settings = place.settings(PARTITIONS)
    assert not wrong(await initialise(settings))
    async with AsyncMongoClient[dict[str, Any]](place.mongodb) as client:
        database = client[settings.mongodb.database]
        await fill(settings, options.batches, options.players)
        await count(place, settings, database, "games", options.batches)
        await settle(client)
        print(f"{options.batches} batches of {options.players} players:")
        show("Kafka's log", options.batches, log_bytes(place.folder, settings.kafka.records_topic))
        await show_collections(database, (REQUESTS, PLAYERS, PERIOD_COUNTS), options.batches)
        pools = options.items // POOL
        await fill_pools(settings, pools, POOL, options.players)
        await count(place, settings, database, "analytics", options.batches + pools)
        await settle(client)
        print(f"{options.items} items in pools of {POOL}:")
        show("Kafka's log", options.items, log_bytes(place.folder, settings.kafka.analytics_topic))
        await show_collections(database, (EVENTS,), options.items)


async def count(place: Place, settings: Settings, database: Database, api: Api, records: int) -> None:
    started = [place.children.start(program) for program in place.workers(settings, 1, api)]
    try:
        await at_least(records, applied(database), started)
    finally:
        place.children.stop(started)


def log_bytes(folder: Path, topic: str) -> int:
    return sum(file.stat().st_size for file in folder.rglob(f"{topic}-[0-9]*/*.log"))


async def show_collections(database: Database, names: tuple[str, ...], number: int) -> None:
    for name in names:
        sizes = await sizes_of(database, name)
        show(f"{name}, documents", number, sizes["storageSize"], f"{sizes['count']} documents")
        show(f"{name}, indexes", number, sizes["totalIndexSize"])


async def sizes_of(database: Database, name: str) -> Mapping[str, int]:
    found: Mapping[str, int] = await database.command("collStats", name)
    return found


def show(what: str, number: int, size_bytes: int, note: str = "") -> None:
    print(f"  {what:28}{size_bytes / number:10.1f} bytes each  {note}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--players", type=int, default=50_000)
    options = parser.parse_args()
    with servers() as place:
        asyncio.run(measure(place, options))


if __name__ == "__main__":
    main()
