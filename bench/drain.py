"""Drains a topic into MongoDB, checks the sums, and compares with other consumers on the same servers.

    make bench ARGS="--records 200000 --workers 2"
    make bench ARGS="--records 40000 --against connector,replay --rounds 3"

One topic is filled. Then these drain it, one after the other, each into a new database:

    tallymill    N workers: dedupe, totals, buckets, exactly once
    naive        N processes, one insert and one upsert a record (bench/rivals/naive.py); the first thousands of records
    only batched      N processes, getmany, pydantic, insert_many, bulk_write, at least once (bench/rivals/batched.py)
    connector    the MongoDB Kafka sink connector with N tasks, inserting whole bodies (bench/rivals/connector.py)
    replay       N processes that apply the flushes' MongoDB commands, planned in advance (bench/rivals/replay.py)

Printed are records/s, CPU, memory and ratios. Each is timed from its first stored record to its last. With --rounds all
run again, interleaved, and the medians are printed. TALLYMILL_WORKER__... variables set the workers' settings.
"""

import argparse
import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import AsyncMongoClient

from bench.measure import Database, Drained, applied, committed, documents, drain, middle, settle, verify
from bench.place import Place, renamed, servers
from bench.records import fill
from bench.rivals.connector import COLLECTION, connector
from ops.config import Settings
from ops.connect import kafka_admin
from ops.init.command import initialise, wrong
from schemas.documents import REQUESTS

OURS = "tallymill"
OTHERS = ("naive", "batched", "connector", "replay")
# Enough to measure a rate of a few hundred records a second.
NAIVE_RECORDS = 2_000


@dataclass(frozen=True, slots=True)
class Subject:
    """What drains the topic, and its database."""

    place: Place
    settings: Settings
    database: Database
    records: int
    workers: int
    expected: Counter[tuple[str, str]]

    async def tallymill(self) -> Drained:
        await self._initialise()
        programs = self.place.workers(self.settings, self.workers)
        drained = await drain(self.place, programs, applied(self.database), self.records)
        await verify(self.database, self.expected)
        return drained

    async def naive(self) -> Drained:
        programs = [self.place.python(f"naive-{i}", self.settings, "bench.rivals.naive") for i in range(self.workers)]
        count = min(NAIVE_RECORDS, self.records)
        return await drain(self.place, programs, documents(self.database, REQUESTS), count)

    async def batched(self) -> Drained:
        programs = [
            self.place.python(f"batched-{i}", self.settings, "bench.rivals.batched") for i in range(self.workers)
        ]
        async with kafka_admin(self.settings) as admin:
            progress = committed(admin, self.settings.kafka.group)
            drained = await drain(self.place, programs, progress, self.records)
        await verify(self.database, self.expected)
        return drained

    async def connector(self) -> Drained:
        programs = [connector(self.place, self.settings, self.workers)]
        return await drain(self.place, programs, documents(self.database, COLLECTION), self.records)

    async def replay(self) -> Drained:
        await self._initialise()
        programs = self.place.replays(self.settings, self.workers, "games")
        drained = await drain(self.place, programs, applied(self.database), self.records)
        await verify(self.database, self.expected)
        return drained

    async def _initialise(self) -> None:
        assert not wrong(await initialise(self.settings))


async def run(options: argparse.Namespace) -> dict[str, Drained]:
    measured: defaultdict[str, list[Drained]] = defaultdict(list)
    with servers() as place:
        settings = place.settings(options.partitions)
        assert not wrong(await initialise(settings))
        expected = await fill(settings, options.records, options.players)
        async with AsyncMongoClient[dict[str, Any]](place.mongodb) as client:
            for i in range(options.rounds):
                for name in (OURS, *options.against):
                    own = renamed(settings, f"{name}-{i}")
                    database = client[own.mongodb.database]
                    await settle(client)
                    subject = Subject(place, own, database, options.records, options.workers, expected)
                    measured[name].append(await getattr(subject, name)())
                    await client.drop_database(database.name)
    return {name: middle(rounds) for name, rounds in measured.items()}


def report(measured: dict[str, Drained], one: str = "record") -> list[str]:
    """The figures as a table, and how ours compare."""
    ours = measured[OURS]
    heads = ("", f"{one}s/s", "ours/theirs", "CPU own", "CPU mongod", "ours/theirs", "MiB")
    lines = ["{:<10} {:>10} {:>12} {:>10} {:>11} {:>12} {:>6}".format(*heads)]
    lines += [
        f"{name:<10} {d.rate:>10.0f} {ours.rate / d.rate:>12.2f} {d.own_cpu:>10.1f} {d.mongod_cpu:>11.1f} "
        f"{ours.mongod_cpu / d.mongod_cpu:>12.2f} {d.peak_mib:>6.0f}"
        for name, d in measured.items()
    ]
    return [*lines, f"CPU in microseconds for each {one}; MiB: peak of the largest process"]


def some_of(others: Sequence[str]) -> Callable[[str], Sequence[str]]:
    """Reads an option that names some of `others`."""

    def names_in(text: str) -> Sequence[str]:
        names = [name for name in text.split(",") if name]
        if unknown := set(names) - set(others):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not one of {', '.join(others)}")
        return names

    return names_in


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--players", type=int, default=50_000)
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--against", type=some_of(OTHERS), default=OTHERS)
    options = parser.parse_args()
    measured = asyncio.run(run(options))
    print(
        f"{options.records} records of {options.players} players in {options.partitions} partitions, "
        f"{options.workers} worker(s), {options.rounds} round(s); every sum right to the unit"
    )
    print("\n".join(report(measured)))


if __name__ == "__main__":
    main()
