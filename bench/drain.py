"""Drains a topic into MongoDB, checks the sums, and compares with other consumers on the same servers.

    python -m bench.drain
    python -m bench.drain --records 40000 --against connector,replay

One topic is filled. Then these drain it, one after the other, each into a new database, and all again in each round:

    tallymill    N workers: dedupe, totals, buckets, exactly once
    batched      N processes, getmany, pydantic, insert_many, bulk_write, at least once (bench/rivals/batched.py)
    quix         N processes of Quix Streams, state in RocksDB, the MongoDB sink, at least once (bench/rivals/quix.py);
                 dedupe and totals, no buckets; the first records only
    connector    the MongoDB Kafka sink connector with N tasks, inserting whole bodies (bench/rivals/connector.py)
    replay       N processes that apply the flushes' MongoDB commands, planned in advance (bench/rivals/replay.py)
    naive        N processes, one insert and one upsert a record (bench/rivals/naive.py); the first records only

Each is measured from a tenth of the records to nine tenths. CPU is in microseconds a record; peak_mib is the memory of
the largest process. TALLYMILL_WORKER__... variables set the workers' settings.
"""

import argparse
import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import AsyncMongoClient

from bench.figures import Measured, Round, interleaved
from bench.measure import Database, Drained, applied, committed, documents, drain, settle, verify, verify_part
from bench.outcome import NoiseMeter, add_options, finish, some_of
from bench.place import Place, renamed, servers
from bench.records import Sums, fill
from bench.rivals import connector, quix_streams
from ops.config import Settings
from ops.connect import kafka_admin
from ops.init.command import initialise, wrong
from ops.local.servers.fetch import FetchError
from ops.local.servers.processes import Program
from schemas.documents import REQUESTS

OURS = "tallymill"
OTHERS = ("batched", "quix", "connector", "replay", "naive")
# Enough to measure some hundred records a second, and some thousand.
NAIVE_RECORDS = 2_000
QUIX_RECORDS = 20_000

# What has to be downloaded before a subject can run.
DOWNLOADS: dict[str, Callable[[], object]] = {"connector": connector.jars, "quix": quix_streams.python}


@dataclass(frozen=True, slots=True)
class Subject:
    """What drains the topic, and its database."""

    place: Place
    settings: Settings
    database: Database
    records: int
    workers: int
    expected: Sums

    async def tallymill(self) -> Drained:
        return await self._exact(self.place.workers(self.settings, self.workers))

    async def replay(self) -> Drained:
        return await self._exact(self.place.replays(self.settings, self.workers, "games"))

    async def batched(self) -> Drained:
        drained = await self._by_offsets(self._python("bench.rivals.batched"), self.records)
        await verify(self.database, self.expected)
        return drained

    async def quix(self) -> Drained:
        programs = [quix_streams.program(self.place, self.settings, i) for i in range(self.workers)]
        drained = await self._by_offsets(programs, min(QUIX_RECORDS, self.records))
        await verify_part(self.database, self.expected)
        return drained

    async def connector(self) -> Drained:
        programs = [connector.connector(self.place, self.settings, self.workers)]
        return await drain(self.place, programs, documents(self.database, connector.COLLECTION), self.records)

    async def naive(self) -> Drained:
        count = min(NAIVE_RECORDS, self.records)
        return await drain(self.place, self._python("bench.rivals.naive"), documents(self.database, REQUESTS), count)

    async def _exact(self, programs: Sequence[Program]) -> Drained:
        """Subjects that write what workers write."""
        assert not wrong(await initialise(self.settings))
        drained = await drain(self.place, programs, applied(self.database), self.records)
        await verify(self.database, self.expected)
        return drained

    async def _by_offsets(self, programs: Sequence[Program], count: int) -> Drained:
        """Subjects whose progress is what their consumer group has committed."""
        async with kafka_admin(self.settings) as admin:
            return await drain(self.place, programs, committed(admin, self.settings.kafka.group), count)

    def _python(self, module: str) -> list[Program]:
        names = [f"{module.rpartition('.')[2]}-{i}" for i in range(self.workers)]
        return [self.place.python(name, self.settings, module) for name in names]


async def run(options: argparse.Namespace, subjects: Sequence[str]) -> Measured:
    with servers() as place:
        settings = place.settings(options.partitions)
        assert not wrong(await initialise(settings))
        expected = await fill(settings, options.records, options.players)
        async with AsyncMongoClient[dict[str, Any]](place.mongodb) as client:

            async def measure(name: str, number: int) -> Round:
                own = renamed(settings, f"{name}-{number}")
                database = client[own.mongodb.database]
                await settle(client)
                subject = Subject(place, own, database, options.records, options.workers, expected)
                drained: Drained = await getattr(subject, name)()
                await client.drop_database(database.name)
                return drained.figures()

            return await interleaved(subjects, options.rounds, measure)


def downloaded(names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The subjects that can run, and why the others can't."""
    left_out = {}
    for name in names:
        if download := DOWNLOADS.get(name):
            try:
                download()
            except FetchError as error:
                left_out[name] = str(error)
    return [name for name in names if name not in left_out], left_out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--players", type=int, default=50_000)
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--against", type=some_of(OTHERS), default=OTHERS)
    add_options(parser)
    options = parser.parse_args()
    subjects, left_out = downloaded((OURS, *options.against))
    meter = NoiseMeter()
    measured = asyncio.run(run(options, subjects))
    print(
        f"{options.records} records of {options.players} players in {options.partitions} partitions, "
        f"{options.workers} worker(s), {options.rounds} round(s); every sum right to the unit"
    )
    finish("drain", options, meter, measured, left_out)


if __name__ == "__main__":
    main()
