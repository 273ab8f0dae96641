"""Every half second: how far each partition is counted, and what every process reports.

Checkpoints are read from each mongod directly, with majority: a failover or a driver's retries would delay them.
"""

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from pymongo import AsyncMongoClient, ReadPreference
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from tests.faults.cluster.stage.system import Process, Ran, System

STEP_SECONDS = 0.5
PROBE_SECONDS = 2.0
STATUS_SECONDS = 10.0
"""A `status` is an interpreter's start: more often would be a load of its own."""

Where = tuple[str, int]
"""Lineage and partition."""

# Of a partition with an owner, and of one without.
_LAG = re.compile(r'^tallymill_worker_(?:lag|unread)_records\{api="(\w+)",partition="(\d+)"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Probe:
    """What one process reported at one time. Status 0: no answer. `lag` is by (api, partition)."""

    at: float
    name: str
    livez: int
    readyz: int
    lag: dict[tuple[str, int], float]


@dataclass(slots=True)
class Timeline:
    """Grows while `record` runs. Times are monotonic seconds."""

    positions: list[tuple[float, dict[Where, int]]] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    statuses: list[tuple[float, Ran]] = field(default_factory=list)
    topics: dict[str, str] = field(default_factory=dict)
    """Topics by lineage."""
    stopped: bool = False

    def stop(self) -> None:
        """End `record` with its next step. It is not cancelled: of a wait that ends just then that would be lost."""
        self.stopped = True

    async def record(self, system: System, members: list[str]) -> None:
        """Until stopped."""
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PROBE_SECONDS)) as session,
            asyncio.TaskGroup() as tasks,
        ):
            for address in members:
                tasks.create_task(self._follow(address, system.database))
            for process in system.processes:
                tasks.create_task(self._probe(session, process))
            tasks.create_task(self._ask_status(system))

    async def _follow(self, address: str, database: str) -> None:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            f"mongodb://{address}",
            directConnection=True,
            serverSelectionTimeoutMS=1_000,
            socketTimeoutMS=2_000,
            connectTimeoutMS=1_000,
            retryReads=False,
            read_preference=ReadPreference.SECONDARY_PREFERRED,
        )
        db = client.get_database(database, read_concern=ReadConcern("majority"))
        try:
            while not self.stopped:
                began = time.monotonic()
                try:
                    found = [one async for one in db["checkpoints"].find({}, {"next": 1})]
                    if not self.topics:
                        self.topics = {one["_id"]: one["topic"] async for one in db["lineages"].find()}
                    self.positions.append((time.monotonic(), {_where(one["_id"]): one["next"] for one in found}))
                except PyMongoError:
                    pass  # it is down, frozen, or rolls back: the others say
                await _rest(began)
        finally:
            await client.close()

    async def _probe(self, session: aiohttp.ClientSession, process: Process) -> None:
        asked = 0
        lag: dict[tuple[str, int], float] = {}
        while not self.stopped:
            began = time.monotonic()
            livez, _ = await _get(session, f"{process.url}/livez")
            readyz, _ = await _get(session, f"{process.url}/readyz") if livez else (0, "")
            if process.name.startswith("worker") and asked % 2 == 0:
                _, text = await _get(session, f"{process.url}/metrics") if livez else (0, "")
                lag = lag_of(text)
            self.probes.append(Probe(began, process.name, livez, readyz, lag if livez else {}))
            asked += 1
            await _rest(began)

    async def _ask_status(self, system: System) -> None:
        while not self.stopped:
            began = time.monotonic()
            self.statuses.append((began, await system.run("status")))
            while not self.stopped and time.monotonic() < began + STATUS_SECONDS:  # noqa: ASYNC110 as in _rest
                await asyncio.sleep(STEP_SECONDS)


def lag_of(text: str) -> dict[tuple[str, int], float]:
    """What a worker's metrics say that waits, by (api, partition)."""
    lag: dict[tuple[str, int], float] = {}
    for api, number, value in _LAG.findall(text):
        key = api, int(number)
        lag[key] = max(lag.get(key, 0.0), float(value))
    return lag


def _where(identity: str) -> Where:
    lineage, _, number = identity.partition("/")
    return lineage, int(number)


async def _get(session: aiohttp.ClientSession, url: str) -> tuple[int, str]:
    try:
        async with session.get(url) as answer:
            return answer.status, await answer.text()
    except (aiohttp.ClientError, TimeoutError):
        return 0, ""


async def _rest(began: float) -> None:
    await asyncio.sleep(max(0.0, began + STEP_SECONDS - time.monotonic()))
