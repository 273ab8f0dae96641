"""Drains into a database that has run for long, against an empty one: many known players, many remembered ids.

    python -m bench.known
    python -m bench.known --ids 50000000 --players 10000000

The database `known` is filled directly with --players players and --ids remembered ids, packed as workers store them
(bench/layouts.py). In each round a worker drains a new topic into it, whose records are of players drawn from all the
known ones; and, for `empty`, a topic of --few players into a new database. Fates and counts are checked.

Much depends on whether what is known fits into mongod's cache (--cache-gb; by default that of the local stack).
"""

import argparse
import asyncio
import time
from itertools import islice

from pymongo import ASCENDING, AsyncMongoClient, WriteConcern

from bench.figures import Measured, Round, interleaved
from bench.layouts import PACKED, Document, ids_of
from bench.measure import Database, add_cache_option, all_counted, applied, drain, set_cache, settle
from bench.outcome import NoiseMeter, add_options, finish
from bench.place import Place, servers
from bench.records import APP, EVENTS, fill
from ops.config import Settings
from ops.init.command import initialise, wrong
from schemas.documents import PERIOD_COUNTS, PLAYERS, REQUESTS, utc

# One insert while the database is filled.
FILL_DOCUMENTS = 10_000
FILL_IDS = 10_000


async def know(client: AsyncMongoClient[Document], settings: Settings, players: int, ids: int) -> None:
    """Write players and ids as if their records had just been counted."""
    assert not wrong(await initialise(settings))
    database, now = client[settings.mongodb.database], time.time_ns() // 1_000_000
    known, requests = (database.get_collection(name, write_concern=WriteConcern(w=1)) for name in (PLAYERS, REQUESTS))
    numbers = iter(range(players))
    while chunk := [_player(n, now) for n in islice(numbers, FILL_DOCUMENTS)]:
        await known.insert_many(chunk, ordered=False)
    # Hashes come in no order. To sort tens of millions once takes minutes, to insert each into a large index an hour.
    for key in PACKED.keys:
        await requests.drop_index([(key, ASCENDING)])
    for first in range(0, ids, FILL_IDS):
        documents = PACKED.documents(ids_of(first, FILL_IDS, now))
        await requests.insert_many([dict(one) for one in documents], ordered=False)
    for key in PACKED.keys:
        await requests.create_index([(key, ASCENDING)])
    await settle(client)


def _player(number: int, now_millis: int) -> Document:
    return {"_id": f"{APP}/player-{number}", "totals": dict.fromkeys(EVENTS, 1), "updatedAt": utc(now_millis)}


async def measure(
    place: Place, client: AsyncMongoClient[Document], settings: Settings, records: int, players: int, seed: int
) -> Round:
    """One worker drains a new topic of this many players into the database of these settings."""
    database = client[settings.mongodb.database]
    assert not wrong(await initialise(settings))
    expected = await fill(settings, records, players, seed)
    progress = applied(database)
    before, counted = await progress(), await _counted(database)

    async def new() -> int:
        return await progress() - before

    await settle(client)
    drained = await drain(place, place.workers(settings, 1), new, records)
    await all_counted(database, before + records, ())
    assert await _counted(database) - counted == expected.total(), "sums differ"
    return drained.figures()


async def _counted(database: Database) -> int:
    """The sum of all counts."""
    return sum([hour["count"] async for hour in database[PERIOD_COUNTS].find({}, {"count": 1})])


async def run(options: argparse.Namespace) -> Measured:
    with servers() as place:
        async with AsyncMongoClient[Document](place.mongodb) as client:
            await set_cache(client, options.cache_gb)
            old = place.settings(options.partitions)
            await know(client, old, options.players, options.ids)

            async def one(subject: str, number: int) -> Round:
                fresh = place.settings(options.partitions)
                if subject == "empty":
                    measured = await measure(place, client, fresh, options.records, options.few, number + 1)
                    await client.drop_database(fresh.mongodb.database)
                    return measured
                known = fresh.model_copy(update={"mongodb": old.mongodb})
                return await measure(place, client, known, options.records, options.players, number + 1)

            return await interleaved(("known", "empty"), options.rounds, one)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--ids", type=int, default=5_000_000)
    parser.add_argument("--players", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=10_000, help="players of the empty database's topic")
    parser.add_argument("--partitions", type=int, default=6)
    add_cache_option(parser)
    add_options(parser)
    options = parser.parse_args()
    meter = NoiseMeter()
    measured = asyncio.run(run(options))
    print(
        f"{options.records} records; known: {options.players} players and {options.ids} ids; empty: {options.few} "
        f"players, no id; {options.cache_gb:g} GB of cache; {options.rounds} round(s); every sum right to the unit"
    )
    finish("known", options, meter, measured, {})


if __name__ == "__main__":
    main()
