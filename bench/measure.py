"""How a drain is measured, the same for all that drain: from a tenth of the records to nine tenths."""

import argparse
import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from bench.place import Place
from bench.records import Sums
from ops.local.servers.mongod import CACHE_GB
from ops.local.servers.processes import Child, Program, last_lines
from schemas.documents import CHECKPOINTS, PLAYERS

Database = AsyncDatabase[dict[str, Any]]
Progress = Callable[[], Awaitable[int]]
"""How many records are done so far."""

POLL_SECONDS = 0.05
GIVE_UP_SECONDS = 600

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Drained:
    """What a drain took. CPU is in microseconds a record; `peak_mib` is the memory of the largest process."""

    rate: float
    own_cpu: float
    mongod_cpu: float
    peak_mib: float

    def figures(self) -> Mapping[str, float]:
        return asdict(self)


class Meter:
    """Measures the CPU, memory and time of processes from now on."""

    def __init__(self, place: Place, processes: Sequence[Child]) -> None:
        self._pids = [place.mongod_pid, *(child.pid for child in processes)]
        self._before, self._since = [cpu_seconds(pid) for pid in self._pids], time.perf_counter()

    def read(self, done: int) -> Drained:
        """What it took until now, when so many records are done."""
        seconds = time.perf_counter() - self._since
        mongod, *own = (cpu_seconds(pid) - was for pid, was in zip(self._pids, self._before, strict=True))
        peak = max(peak_memory_mib(pid) for pid in self._pids[1:])
        return Drained(done / seconds, sum(own) / done * 1e6, mongod / done * 1e6, peak)


async def drain(place: Place, programs: Sequence[Program], progress: Progress, count: int) -> Drained:
    """Start programs on a full topic, wait until `count` records are done, and stop them.

    Neither the start nor the end is measured. A program that reads ahead has done a part of its work for records that
    are not done yet. That part is the same at both ends of the measurement.
    """
    started = [place.children.start(program) for program in programs]
    try:
        first = await at_least(max(1, count // 10), progress, started)
        meter = Meter(place, started)
        measured = await at_least(count * 9 // 10, progress, started) - first
        assert measured > 0, "most records were done at once: more are needed"
        drained = meter.read(measured)
        await at_least(count, progress, started)
        return drained
    finally:
        place.children.stop(started)


async def at_least(count: int, progress: Progress, started: Sequence[Child]) -> int:
    give_up = time.perf_counter() + GIVE_UP_SECONDS
    while (done := await progress()) < count:
        for child in started:
            assert child.exit_status() is None, f"{child.program.name} ended:\n{last_lines(child.log)}"
        if time.perf_counter() > give_up:
            raise TimeoutError(f"{done} of {count} in {GIVE_UP_SECONDS} s:\n{last_lines(started[0].log)}")
        await asyncio.sleep(POLL_SECONDS)
    return done


def applied(database: Database) -> Progress:
    """Progress by the fates in the checkpoints."""

    async def progress() -> int:
        return sum([sum(checkpoint["fates"].values()) async for checkpoint in database[CHECKPOINTS].find()])

    return progress


def documents(database: Database, collection: str) -> Progress:
    """Progress by the documents of a collection."""
    return database[collection].estimated_document_count


def committed(admin: AIOKafkaAdminClient, group: str) -> Progress:
    """Progress by the offsets that a consumer group has committed."""

    async def progress() -> int:
        return sum(max(0, found.offset) for found in (await admin.list_consumer_group_offsets(group)).values())

    return progress


async def all_counted(database: Database, count: int, started: Sequence[Child]) -> None:
    """Wait until so many records have a fate, and check that all were applied."""
    await at_least(count, applied(database), started)
    fates: Counter[str] = Counter()
    async for checkpoint in database[CHECKPOINTS].find():
        fates.update(checkpoint["fates"])
    assert fates["applied"] == fates.total() == count, f"not all were applied: {dict(fates)}"


async def verify(database: Database, expected: Sums) -> None:
    """Check every total of every player."""
    assert expected == await _totals(database), "sums differ"


async def verify_part(database: Database, expected: Sums) -> None:
    """Check the totals of a subject that has read only the first records: there are some, and none is too high."""
    found = await _totals(database)
    assert found.total() > 0, "nothing was counted"
    assert found <= expected, "sums are too high"


async def _totals(database: Database) -> Sums:
    found = Sums()
    async for player in database[PLAYERS].find():
        for event, count in player["totals"].items():
            found[player["_id"], event] = count
    return found


async def settle(client: AsyncMongoClient[dict[str, Any]]) -> None:
    """Write to disk now what was written so far, so that the next subject doesn't pay for it."""
    await client.admin.command("fsync")


def add_cache_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cache-gb", type=float, default=float(CACHE_GB), help="of mongod (%(default)s)")


async def set_cache(client: AsyncMongoClient[dict[str, Any]], gigabytes: float) -> None:
    """Another size of mongod's cache than that of the local stack."""
    size = f"cache_size={int(gigabytes * 1024)}M"
    await client.admin.command("setParameter", 1, wiredTigerEngineRuntimeConfig=size)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_memory_mib(pid: int) -> float:
    """Largest resident size of a process so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0
