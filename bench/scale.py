"""CPU a record with 1, 2 and 4 workers: it should not depend on how many share a topic.

    python -m bench.scale
    python -m bench.scale --workers 1,2,4,8 --records 100000

Each number of workers, in turn and again in each round, drains a new topic into a new database. All have joined the
group before the first record is visible: the records are produced in one Kafka transaction, and workers see nothing of
it until it is committed. So no worker drains the topic while another one starts, and no start is measured. The sums are
checked. Records/s grow with the cores that are free, which are few here; CPU a record is the figure.
"""

import argparse
import asyncio
import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from pymongo import AsyncMongoClient

from bench.figures import Measured, Round, interleaved
from bench.measure import GIVE_UP_SECONDS, POLL_SECONDS, Database, Meter, applied, at_least, settle, verify
from bench.outcome import NoiseMeter, add_options, finish
from bench.place import Place, servers
from bench.records import Made, Sums, make_records, send_all
from ops.config import Settings
from ops.init.command import initialise, wrong
from ops.local.servers.processes import Child, last_lines
from schemas.documents import CHECKPOINTS
from schemas.records.signing import signing_keys
from serving.kafka.client import client_options

# After the last change of owners: what starts a worker, beside its share of partitions, is done by then.
CALM_SECONDS = 2


async def measure(
    place: Place, client: AsyncMongoClient[dict[str, Any]], workers: int, made: Sequence[Made], partitions: int
) -> Round:
    settings = place.settings(partitions)
    database = client[settings.mongodb.database]
    assert not wrong(await initialise(settings))
    await settle(client)
    started = [place.children.start(program) for program in place.workers(settings, workers)]
    try:
        await shared(database, started, partitions)
        meter, expected = await fill_at_once(place, settings, made, started)
        await at_least(len(made), applied(database), started)
        measured = meter.read(len(made))
    finally:
        place.children.stop(started)
    await verify(database, expected)
    await client.drop_database(database.name)
    return measured.figures()


async def shared(database: Database, started: Sequence[Child], partitions: int) -> None:
    """Wait until every worker owns its share of the partitions."""
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while not await _is_shared(database, len(started), partitions):
            for child in started:
                assert child.exit_status() is None, f"{child.program.name} ended:\n{last_lines(child.log)}"
            await asyncio.sleep(POLL_SECONDS)
    await asyncio.sleep(CALM_SECONDS)


async def _is_shared(database: Database, workers: int, partitions: int) -> bool:
    owners = Counter([one["owner"] async for one in database[CHECKPOINTS].find({"owner": {"$exists": True}})])
    return owners.total() == partitions and len(owners) == workers


async def fill_at_once(
    place: Place, settings: Settings, made: Sequence[Made], started: Sequence[Child]
) -> tuple[Meter, Sums]:
    """Make all records visible at one moment. Returns what measures from then on, and what they count."""
    async with AIOKafkaProducer(
        **client_options(settings.kafka),
        transactional_id=f"bench-{secrets.token_hex(4)}",
        compression_type="lz4",
        linger_ms=5,
        max_batch_size=1 << 18,
    ) as producer:
        await producer.begin_transaction()
        expected = await send_all(producer, settings.kafka.records_topic, made)
        meter = Meter(place, started)
        await producer.commit_transaction()
    return meter, expected


async def run(options: argparse.Namespace) -> Measured:
    with servers() as place:
        made = list(make_records(options.records, options.players, signing_keys(place.settings(1).signing)))
        async with AsyncMongoClient[dict[str, Any]](place.mongodb) as client:

            async def one(subject: str, _number: int) -> Round:
                return await measure(place, client, subjects[subject], made, options.partitions)

            subjects = {f"{n} worker" + "s" * (n > 1): n for n in options.workers}
            return await interleaved(list(subjects), options.rounds, one)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--workers", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2, 4])
    parser.add_argument("--players", type=int, default=50_000)
    parser.add_argument("--partitions", type=int, default=12)
    add_options(parser)
    options = parser.parse_args()
    meter = NoiseMeter()
    measured = asyncio.run(run(options))
    print(
        f"{options.records} records of {options.players} players in {options.partitions} partitions, "
        f"{options.rounds} round(s); every sum right to the unit"
    )
    finish("scale", options, meter, measured, {})


if __name__ == "__main__":
    main()
