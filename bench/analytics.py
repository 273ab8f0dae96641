"""Drains pools into MongoDB, checks the sums, and compares with other consumers on the same servers.

    python -m bench.analytics --items 400000 --pool 20 --workers 2
    python -m bench.analytics --items 100000 --through ingress

The analytics topic is filled with pools of --pool items each: sealed and written as fast as Kafka takes them, or sent
through an ingress by clients that send as soon as they are answered (bench/sender.py). Then these drain it, one after
the other, each into a new database:

    tallymill    N workers: each item one document, once; counts by minute; exactly once
    naive        N processes, one insert_one an item (bench/rivals/naive_items.py); the first thousands of items only
    connector    the MongoDB Kafka sink connector with N tasks (bench/rivals/connector.py): one document a pool,
                 because it can't split one; --pool 1 compares document with document
    replay       N processes that apply the flushes' MongoDB commands, planned in advance (bench/rivals/replay.py)

All run again in each round. Each is measured from a tenth of the items to nine tenths; CPU is in microseconds an item.
Through an ingress, tallymill's workers run while the topic is filled, once, and the time is from the first request to
the last item in MongoDB. TALLYMILL_WORKER__... variables set the workers' settings.
"""

import argparse
import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import AsyncMongoClient

from bench.drain import downloaded
from bench.figures import Measured, Round, interleaved
from bench.measure import (
    GIVE_UP_SECONDS,
    Database,
    Drained,
    Meter,
    Progress,
    applied,
    at_least,
    documents,
    drain,
    settle,
)
from bench.outcome import NoiseMeter, add_options, finish, some_of
from bench.place import Place, renamed, servers
from bench.pools import APP, fill_pools, make_bodies
from bench.rivals.connector import COLLECTION, connector
from bench.rivals.naive_items import ITEMS
from bench.sender import Clients, post
from bench.visible import system, tokens_of
from ingress.config import TokenSettings
from ops.config import Settings
from ops.init.command import initialise, wrong
from ops.local.servers.ports import LOOPBACK
from ops.local.servers.processes import Program
from ops.tokens.issuer import ensure_issuer
from schemas.documents import EVENTS, PERIOD_COUNTS

OURS = "tallymill"
OTHERS = ("naive", "connector", "replay")
# Enough to measure some hundred items a second.
NAIVE_ITEMS = 2_000
# Tokens are signed before the measurement.
MOST_TOKENS = 1_000


@dataclass(frozen=True, slots=True)
class Subject:
    """What drains the topic, and its database."""

    place: Place
    settings: Settings
    database: Database
    options: argparse.Namespace
    expected: Counter[str]

    async def tallymill(self) -> Drained:
        return await self._exact(self.place.workers(self.settings, self.options.workers, "analytics"))

    async def naive(self) -> Drained:
        names = [f"naive-{i}" for i in range(self.options.workers)]
        programs = [self.place.python(name, self.settings, "bench.rivals.naive_items") for name in names]
        return await drain(self.place, programs, documents(self.database, ITEMS), min(NAIVE_ITEMS, self.options.items))

    async def connector(self) -> Drained:
        topic = self.settings.kafka.analytics_topic
        programs = [connector(self.place, self.settings, self.options.workers, topic)]
        return await drain(self.place, programs, self._pools(documents(self.database, COLLECTION)), self.options.items)

    async def replay(self) -> Drained:
        return await self._exact(self.place.replays(self.settings, self.options.workers, "analytics"))

    async def _exact(self, programs: Sequence[Program]) -> Drained:
        """Subjects that write what workers write."""
        assert not wrong(await initialise(self.settings))
        drained = await drain(self.place, programs, self._pools(applied(self.database)), self.options.items)
        await verify(self.database, self.expected)
        return drained

    def _pools(self, progress: Progress) -> Progress:
        """Progress in items, where `progress` counts pools."""
        each: int = self.options.pool

        async def items() -> int:
            return each * await progress()

        return items


async def whole_path(
    place: Place, settings: Settings, client: AsyncMongoClient[dict[str, Any]], options: argparse.Namespace
) -> tuple[Drained, Counter[str]]:
    """From the first request to the last item in MongoDB. Returns what it took, and what the topic counts."""
    settings = settings.model_copy(update={"tokens": TokenSettings.model_validate(ensure_issuer(place.folder))})
    tokens = tokens_of(settings, APP, min(options.players, MOST_TOKENS))
    made = list(make_bodies(options.items // options.pool, options.pool, time.time_ns() // 1_000_000))
    todo = (
        post("/AddEventBatch", player, token, body)
        for (player, token), (body, _) in zip(itertools.cycle(tokens.items()), made, strict=False)
    )
    database = client[settings.mongodb.database]
    # Answered when Kafka has the pool. Clients that waited for the worker would be the limit.
    async with system(place, settings, options.workers, "analytics", apply_seconds=0) as running:
        clients, meter = Clients(todo), Meter(place, running.processes)
        await clients.connect(LOOPBACK, running.port, options.connections)
        await clients.until(len(made), GIVE_UP_SECONDS)
        await at_least(options.items, documents(database, EVENTS), running.processes)
        measured = meter.read(options.items)
        clients.close()
    expected = Counter(title for _, titles in made for title in titles)
    await verify(database, expected)
    return measured, expected


async def verify(database: Database, expected: Counter[str]) -> None:
    """Check that each item is one document, and the count of every title."""
    found: Counter[str] = Counter()
    async for hour in database[PERIOD_COUNTS].find({"source": "analytics"}):
        found[hour["event"]] += sum(hour["minutes"].values())
    assert expected == found, "sums differ"
    assert expected.total() == await database[EVENTS].count_documents({}), "documents differ"


async def run(options: argparse.Namespace, rivals: Sequence[str]) -> Measured:
    with servers() as place:
        settings = place.settings(options.partitions)
        assert not wrong(await initialise(settings))
        async with AsyncMongoClient[dict[str, Any]](place.mongodb) as client:
            through: dict[str, list[Round]] = {}
            if options.through == "ingress":
                drained, expected = await whole_path(place, settings, client, options)
                through[OURS] = [drained.figures()]
            else:
                expected = await fill_pools(settings, options.items // options.pool, options.pool, options.players)

            async def measure(name: str, number: int) -> Round:
                own = renamed(settings, f"{name}-{number}")
                await settle(client)
                subject = Subject(place, own, client[own.mongodb.database], options, expected)
                one: Drained = await getattr(subject, name)()
                await client.drop_database(own.mongodb.database)
                return one.figures()

            subjects = rivals if through else (OURS, *rivals)
            return {**through, **await interleaved(subjects, options.rounds, measure)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=400_000)
    parser.add_argument("--pool", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--players", type=int, default=50_000)
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--against", type=some_of(OTHERS), default=OTHERS)
    parser.add_argument("--through", choices=("topic", "ingress"), default="topic")
    parser.add_argument("--connections", type=int, default=64, help="clients of the ingress")
    add_options(parser)
    options = parser.parse_args()
    options.items -= options.items % options.pool
    rivals, left_out = downloaded(options.against)
    meter = NoiseMeter()
    measured = asyncio.run(run(options, rivals))
    print(
        f"{options.items} items in pools of {options.pool}, {options.players} players, {options.partitions} "
        f"partitions, {options.workers} worker(s), {options.rounds} round(s), through the {options.through}; every sum "
        "right to the unit"
    )
    # Through an ingress it is another benchmark, without a goal: ours has one round, and more to do.
    bench = f"analytics:{options.pool}" if options.through == "topic" else "analytics:ingress"
    finish(bench, options, meter, measured, left_out)


if __name__ == "__main__":
    main()
