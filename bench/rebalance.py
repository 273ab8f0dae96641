"""How long partitions make no progress while workers are killed and started again.

    python -m bench.rebalance --rounds 3
    python -m bench.rebalance --trees /path/to/another/checkout,. --sessions 6,10 --rounds 3

Workers share the partitions of one topic under a steady load. Every few seconds one of them is killed and started again
at once. The checkpoints are read twenty times a second. The figures are the longest seconds without progress: `dead` of
partitions whose owner was killed, `living` of others, `all` of all together. The sums are checked at the end. Each
source tree and session time-out is a subject.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from pymongo import AsyncMongoClient

from bench.measure import Database, verify
from bench.place import Place, servers
from bench.records import APP, Made, Sums, make_records
from bench.report.figures import Measured, Round, interleaved
from bench.report.outcome import NoiseMeter, add_options, finish
from consumer.config import WorkerSettings
from ops.config import Settings, variable_of
from ops.init.command import initialise, wrong
from ops.local.servers.processes import Child, Program
from schemas.documents import CHECKPOINTS
from schemas.records.signing import signing_keys
from serving.kafka.client import client_options

LOOK_SECONDS = 0.05
TICK_SECONDS = 0.02
# From the start of the load to the first kill, and from the last kill to its end.
CALM_SECONDS = 5
QUIET_SECONDS = 20
# A flush in flight may land after its worker was killed.
LANDS_SECONDS = 1.0
GIVE_UP_SECONDS = 120

SHIPPED: float = WorkerSettings.model_fields["session_timeout_seconds"].default


@dataclass(frozen=True, slots=True)
class Kill:
    """When, and whose partitions those were."""

    at: float
    partitions: frozenset[int]


@dataclass(slots=True)
class Watched:
    """When each partition's checkpoint was seen to move, and who its owner is."""

    moves: dict[int, list[float]] = field(default_factory=dict)
    next: dict[int, int] = field(default_factory=dict)
    owner: dict[int, str] = field(default_factory=dict)

    async def read(self, database: Database) -> None:
        # Those of the other topic have no owner.
        async for found in database[CHECKPOINTS].find({"owner": {"$exists": True}}):
            partition = int(found["_id"].rpartition("/")[2])
            self.owner[partition] = found["owner"]
            if found["next"] > self.next.get(partition, 0):
                self.next[partition] = found["next"]
                self.moves.setdefault(partition, []).append(time.monotonic())

    def of_process(self, pid: int) -> frozenset[int]:
        return frozenset(partition for partition, owner in self.owner.items() if owner.endswith(f":{pid}"))


@dataclass(frozen=True, slots=True)
class Pauses:
    """The longest seconds without progress of one round."""

    dead: float
    living: float
    all: float


@dataclass(frozen=True, slots=True)
class Variant:
    tree: Path
    session_seconds: float


def pauses(watched: Watched, kills: Sequence[Kill], began: float, ended: float) -> Pauses:
    dead, living = [0.0], [0.0]
    for partition, moves in watched.moves.items():
        for since, until in _gaps(moves, began, ended):
            own = [k.at for k in kills if partition in k.partitions and since - LANDS_SECONDS <= k.at <= until]
            living.append(min([until, *own]) - since)
            dead += [until - max(since, at) for at in own[:1]]
    any_partition = sorted(at for moves in watched.moves.values() for at in moves)
    return Pauses(max(dead), max(living), max(until - since for since, until in _gaps(any_partition, began, ended)))


def _gaps(moves: Sequence[float], began: float, ended: float) -> Iterable[tuple[float, float]]:
    return pairwise([began, *(at for at in moves if began < at < ended), ended])


def variants_of(options: argparse.Namespace) -> Mapping[str, Variant]:
    """By the name of the subject. The tree is named where there are several."""
    named = {f" of {text}" if len(options.trees) > 1 else "": Path(text).resolve() for text in options.trees}
    return {
        f"session {session:g} s{of}": Variant(tree, session)
        for of, tree in named.items()
        for session in options.sessions
    }


async def run(options: argparse.Namespace) -> Measured:
    variants = variants_of(options)
    with servers() as place:

        async def one(subject: str, _number: int) -> Round:
            return asdict(await measured(place, variants[subject], options))

        return await interleaved(list(variants), options.rounds, one)


async def measured(place: Place, variant: Variant, options: argparse.Namespace) -> Pauses:
    settings = place.settings(options.partitions)
    assert not wrong(await initialise(settings))
    programs = [_program(program, variant) for program in place.workers(settings, options.workers)]
    children = [place.children.start(program) for program in programs]
    try:
        async with AsyncMongoClient[dict[str, Any]](settings.mongodb.uri.get_secret_value()) as client:  # type: ignore[union-attr]
            return await _under_load(place, children, settings, client[settings.mongodb.database], options)
    finally:
        place.children.stop(children)


def _program(program: Program, variant: Variant) -> Program:
    """The worker of that tree: -P, so that this one's folder doesn't stand before it."""
    python, *rest = program.command
    session = {variable_of("worker.session_timeout_seconds"): str(variant.session_seconds)}
    environ = {**program.environ, **session, "PYTHONPATH": str(variant.tree)}
    return Program(program.name, (python, "-P", *rest), environ, program.stop_seconds)


async def _under_load(
    place: Place, children: list[Child], settings: Settings, database: Database, options: argparse.Namespace
) -> Pauses:
    seconds = CALM_SECONDS + options.seconds + QUIET_SECONDS
    made = list(make_records(int(seconds * options.rate), 1_000, signing_keys(settings.signing)))
    watched, kills = Watched(), list[Kill]()
    looking = asyncio.create_task(_read(watched, database))
    loading = asyncio.create_task(_load(settings, made, options.rate))
    await _until(lambda: len(watched.moves) == options.partitions)
    await asyncio.sleep(CALM_SECONDS)
    began = time.monotonic()
    for number in islice(cycle(range(options.workers)), options.kills):
        kills.append(Kill(time.monotonic(), watched.of_process(children[number].pid)))
        place.children.forget(children[number])
        children[number] = place.children.start(children[number].program)
        await asyncio.sleep(options.seconds / options.kills)
    await loading
    ended = time.monotonic()
    await _until(lambda: sum(watched.next.values()) == len(made))
    looking.cancel()
    await verify(database, _sums(made))
    return pauses(watched, kills, began, ended)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while not holds():  # noqa: ASYNC110 the servers have no event for it
            await asyncio.sleep(LOOK_SECONDS)


async def _read(watched: Watched, database: Database) -> None:
    while True:
        await watched.read(database)
        await asyncio.sleep(LOOK_SECONDS)


async def _load(settings: Settings, made: Sequence[Made], rate: float) -> None:
    """So many records a second, a player's always into the same partition."""
    began, sent = time.monotonic(), 0
    async with AIOKafkaProducer(**client_options(settings.kafka), acks="all") as producer:
        while sent < len(made):
            due = min(len(made), int((time.monotonic() - began) * rate))
            for one in made[sent:due]:
                await producer.send(settings.kafka.records_topic, one.value, key=one.key, headers=one.headers)
            sent = due
            await asyncio.sleep(TICK_SECONDS)


def _sums(made: Sequence[Made]) -> Sums:
    sums = Sums()
    for one in made:
        for event, count in one.counts:
            sums[f"{APP}/{one.player}", event] += count
    return sums


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--rate", type=float, default=120)
    parser.add_argument("--seconds", type=float, default=45)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--trees", type=lambda text: text.split(","), default=["."], help="checkouts to compare")
    parser.add_argument("--sessions", type=lambda text: [float(one) for one in text.split(",")], default=[SHIPPED])
    add_options(parser)
    options = parser.parse_args()
    meter = NoiseMeter()
    # This process reads checkpoints and sends records. The workers go first.
    os.nice(1)
    found = asyncio.run(run(options))
    print(
        f"{options.workers} workers, {options.partitions} partitions, {options.rate:g} records/s; {options.kills} "
        f"killed in {options.seconds:g} s, {options.rounds} round(s); every sum right to the unit"
    )
    finish("rebalance", options, meter, found, {})


if __name__ == "__main__":
    main()
