"""What remembered ids cost in a system that has run for weeks: new ones come, and as many expire.

    python -m bench.steady
    python -m bench.steady --ids 200000 --seconds 2

Two mongods, each with a cache of its own, hold --ids ids, made directly: `packed` as workers store them, and `single`,
one document an id, as they did before (bench/layouts.py). In each round, of each:

1. Ids expire by the TTL index, and nothing else happens: `expiry_rate` (ids/s) and `expiry_cpu`.
2. New ids come at --rate a second, in flushes: each looks its ids up and inserts them in one transaction. As many old
   ids expire meanwhile. `cpu` is what both take, until all are expired.

CPU is mongod's, in microseconds an id. `expiry_over_inserts` is expiry_rate over --rate: below 1 the collection grows
for ever. `id_bytes` is the collection on disk with its indexes, an id, after as many have come as expired. The number
of documents is checked all along.

Each id that comes or expires changes a page of an index, and hashes are in no order, so it is another page each time.
Much depends on whether the index fits into mongod's cache (--cache-gb; by default that of the local stack).
"""

import argparse
import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from pymongo import AsyncMongoClient, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection

from bench.figures import Measured, Round, interleaved
from bench.layouts import LAYOUTS, Document, Ids, Layout, ids_of
from bench.measure import add_cache_option, cpu_seconds, set_cache, settle
from bench.outcome import NoiseMeter, add_options, finish
from bench.place import mongods
from consumer.mongo.transactions import DURABLE, in_transaction

DATABASE = "steady"
# As many as a worker that is behind takes.
FLUSH_IDS = 2_000
# One insert while the collection is filled.
FILL_IDS = 10_000

POLL_SECONDS = 0.02
GIVE_UP_SECONDS = 300

DAY_SECONDS = 86_400
HOUR_SECONDS = 3_600
# The ids that are to expire are a year old, and each portion of them is an hour younger than the one before.
OLDEST_SECONDS = 365 * DAY_SECONDS

# Of one measurement of expiry alone. One document an id needs ten seconds for it.
EXPIRED_IDS = {"packed": 400_000, "single": 40_000}


@dataclass(frozen=True, slots=True)
class Portions:
    """How many ids expire: in each round one portion alone, and one while as many come."""

    alone: int
    beside: int

    def sizes(self, rounds: int) -> Iterator[int]:
        for _ in range(rounds):
            yield self.alone
            yield self.beside


def portions_of(layout: Layout, options: argparse.Namespace) -> Portions:
    """Whole flushes, and of all rounds together at most half of the ids that are there."""
    most = options.ids // (4 * options.rounds)
    sizes = (min(size, most) for size in (EXPIRED_IDS[layout.name], int(options.rate * options.seconds)))
    return Portions(*(max(1, size // FLUSH_IDS) * FLUSH_IDS for size in sizes))


class Remembered:
    """A collection of remembered ids, of one layout."""

    def __init__(self, pid: int, client: AsyncMongoClient[Document], layout: Layout, portions: Portions) -> None:
        self._pid = pid
        self._client = client
        self._layout = layout
        self.portions = portions
        self._collection: AsyncCollection[Document] = client[DATABASE].get_collection(
            layout.name, write_concern=DURABLE
        )
        self._began = int(time.time())
        self._ids = 0
        self._next = 0
        self._expired_portions = 0

    async def fill(self, ids: int, rounds: int) -> None:
        """Portions that will expire one after the other, and the rest."""
        assert FLUSH_IDS % self._layout.ids_each == 0, "documents must be full, so that ids can be counted by them"
        await self._client[DATABASE].create_collection(self._layout.name, **self._layout.options)
        await self._collection.create_indexes(self._layout.indexes())
        for number, size in enumerate(self.portions.sizes(rounds)):
            await self._fill(size, self._at(number))
        await self._fill(max(1, (ids - self._ids) // FLUSH_IDS) * FLUSH_IDS, self._began)

    async def _fill(self, count: int, at_seconds: int) -> None:
        quick = self._collection.with_options(write_concern=WriteConcern(w=1))
        while count > 0:
            size = min(count, FILL_IDS)
            documents = self._layout.documents(self._new(size, at_seconds))
            await quick.insert_many([dict(one) for one in documents], ordered=False)
            count -= size

    def _new(self, count: int, at_seconds: int) -> Ids:
        ids = ids_of(self._next, count, at_seconds * 1000)
        self._next += count
        self._ids += count
        return ids

    def _at(self, portion: int) -> int:
        return self._began - OLDEST_SECONDS + portion * HOUR_SECONDS

    async def round(self, rate: float) -> Round:
        await settle(self._client)
        expiry_cpu, expiry_rate = await self._expire_alone()
        await settle(self._client)
        cpu = await self._expire_beside(rate)
        # As many as expired alone, so that the collection is as large as before.
        await self._fill(self.portions.alone, self._began)
        await settle(self._client)
        return {
            "cpu": cpu,
            "expiry_cpu": expiry_cpu,
            "expiry_rate": expiry_rate,
            "expiry_over_inserts": expiry_rate / rate,
            "id_bytes": await self._bytes() / self._ids,
        }

    async def _expire_alone(self) -> tuple[float, float]:
        """Microseconds of CPU an id, and ids a second, from the first expired document to the last."""
        before = await self._count()
        await self._let_expire(self.portions.alone)
        first = await self._fewer_than(before)
        cpu, since = cpu_seconds(self._pid), time.perf_counter()
        await self._all_expired()
        seconds, ids = time.perf_counter() - since, self._ids_in(first) - self._ids
        assert ids, "all expired at once: more ids are needed"
        return (cpu_seconds(self._pid) - cpu) / ids * 1e6, ids / seconds

    async def _expire_beside(self, rate: float) -> float:
        """Microseconds of CPU an id that comes and one that expires."""
        size, cpu = self.portions.beside, cpu_seconds(self._pid)
        await self._let_expire(size)
        await self._insert(size, rate)
        await self._all_expired()
        return (cpu_seconds(self._pid) - cpu) / size * 1e6

    async def _insert(self, count: int, rate: float) -> None:
        began = time.perf_counter()
        async with self._client.start_session() as session:
            for number in range(count // FLUSH_IDS):
                ids = self._new(FLUSH_IDS, int(time.time()))
                await asyncio.sleep(began + number * FLUSH_IDS / rate - time.perf_counter())
                await in_transaction(session, lambda session, ids=ids: self._dedupe(session, ids))  # type: ignore[misc]  # mypy can't infer the default

    async def _dedupe(self, session: Any, ids: Ids) -> None:  # noqa: ANN401 pymongo's
        await self._layout.dedupe(self._collection, session, ids)

    async def _let_expire(self, size: int) -> None:
        """The oldest portion: the TTL becomes shorter than its age."""
        age = int(time.time()) - self._at(self._expired_portions)
        index = {"keyPattern": {"at": 1}, "expireAfterSeconds": age - HOUR_SECONDS // 2}
        await self._client[DATABASE].command("collMod", self._layout.name, index=index)
        self._expired_portions += 1
        self._ids -= size

    async def _count(self) -> int:
        return await self._collection.estimated_document_count()

    async def _fewer_than(self, count: int) -> int:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while (found := await self._count()) >= count:  # noqa: ASYNC110 the server has no event for it
                await asyncio.sleep(POLL_SECONDS)
        return found

    async def _all_expired(self) -> None:
        left = await self._fewer_than(self._documents() + 1)
        assert left == self._documents(), f"{left} documents are left of {self._documents()}"

    def _documents(self) -> int:
        return self._ids // self._layout.ids_each

    def _ids_in(self, documents: int) -> int:
        return documents * self._layout.ids_each

    async def _bytes(self) -> int:
        stats = await self._client[DATABASE].command("collStats", self._layout.name)
        return int(stats["storageSize"] + stats["totalIndexSize"])


async def run(options: argparse.Namespace) -> Measured:
    with mongods(list(LAYOUTS)) as running:
        async with AsyncExitStack() as stack:
            remembered = {}
            for name, mongod in running.items():
                client = await stack.enter_async_context(AsyncMongoClient[Document](mongod.uri, tz_aware=True))
                await set_cache(client, options.cache_gb)
                # By default it looks once a minute for what has expired.
                await client.admin.command("setParameter", 1, ttlMonitorSleepSecs=1)
                layout = LAYOUTS[name]
                remembered[name] = Remembered(mongod.pid, client, layout, portions_of(layout, options))
            await asyncio.gather(*(one.fill(options.ids, options.rounds) for one in remembered.values()))

            async def measure(name: str, _number: int) -> Round:
                return await remembered[name].round(options.rate)

            return await interleaved(list(remembered), options.rounds, measure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ids", type=int, default=5_000_000, help="that each collection holds to begin with")
    parser.add_argument("--rate", type=float, default=10_000, help="ids/s that come: as many as a worker brings")
    parser.add_argument("--seconds", type=float, default=8, help="for which they come, in each round")
    add_cache_option(parser)
    add_options(parser)
    options = parser.parse_args()
    meter = NoiseMeter()
    measured = asyncio.run(run(options))
    print(
        f"{options.ids} ids in each layout, {options.rate:g} ids/s come for {options.seconds:g} s, "
        f"{options.cache_gb:g} GB of cache, {options.rounds} round(s); every id accounted for"
    )
    finish("steady", options, meter, measured, {})


if __name__ == "__main__":
    main()
