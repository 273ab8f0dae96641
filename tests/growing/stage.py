"""A whole system under load while an operator changes it: processes, a load balancer, and figures of each change."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import aiohttp
from pymongo import AsyncMongoClient

from ops.local.servers.ports import choose_ports
from ops.local.servers.processes import Children
from schemas.documents import CHECKPOINTS
from tests.faults.cluster.stage.checker import judge, read_stored
from tests.faults.cluster.stage.load import Load, Token, loading
from tests.faults.cluster.stage.requests import Sent
from tests.faults.cluster.stage.scene import issuer_of
from tests.faults.cluster.stage.system import APP, ROOT, Process, System, is_ready, settings_of
from tests.patience import PATIENCE_SECONDS
from tests.servers import Servers
from tests.upgrade.previous import runs

LOOK_SECONDS = 0.1
"""How often the load balancer asks /readyz. An ingress that stops accepts requests for longer."""
POSITION_SECONDS = 0.02
"""How often the checkpoints are read."""
OK = 200
NOT_YET = ("pending", "503")
"""States of a receipt that is asked for again: many questions at once are answered 503."""
RECEIPT_SECONDS = 5.0
RESENT = 12
"""Acknowledged requests that are sent again after each change."""


class GrowingSystem(System):
    """With consoles too."""

    def __init__(self, children: Children, folder: Path, settings: dict[str, str], workers: int, consoles: int) -> None:
        super().__init__(children, folder, settings)
        del self.workers[workers:]
        ports = choose_ports([0] * consoles)
        self.consoles = [self._process("console", number, port) for number, port in enumerate(ports)]

    @property
    def processes(self) -> list[Process]:
        return [*super().processes, *self.consoles]

    async def set_up(self, code: Path) -> None:
        """Initialise and start everything, all with the code of this folder."""
        for process in self.processes:
            runs(process, code)
        self._environ |= {"PYTHONPATH": str(code), "PYTHONSAFEPATH": "1"}
        await self.initialise()
        self._environ["PYTHONPATH"] = str(ROOT)
        await self.start_all()


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one change, in seconds. `acked`: from a request's first try to its answer, retries included.

    `visible`: from the first try until the checkpoint was seen to have passed the record.
    """

    change: str
    acked: Sequence[float]
    visible: Sequence[float]
    errors: Counter[str]
    seconds: float

    def text(self) -> str:
        return (
            f"{self.change}: {len(self.acked)} requests in {self.seconds:.0f} s, load {os.getloadavg()[0]:.0f}; acked "
            f"{told(self.acked)}; visible {told(self.visible)}; errors {dict(self.errors)}"
        )


def quantile(seconds: Sequence[float], share: float) -> float:
    return sorted(seconds)[int(len(seconds) * share)]


def told(seconds: Sequence[float]) -> str:
    return f"p50 {quantile(seconds, 0.5):.2f} p99 {quantile(seconds, 0.99):.2f} max {max(seconds):.2f} s"


class Positions:
    """When each checkpoint was seen to move."""

    def __init__(self, database: Any) -> None:  # noqa: ANN401 pymongo's, of any document
        self._checkpoints = database[CHECKPOINTS]
        self._seen: dict[tuple[str, int], list[tuple[int, float]]] = {}

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            async for one in self._checkpoints.find({}, {"next": 1}):
                lineage, _, partition = one["_id"].partition("/")
                seen = self._seen.setdefault((lineage, int(partition)), [])
                if not seen or seen[-1][0] < one["next"]:
                    seen.append((one["next"], time.monotonic()))
            await asyncio.sleep(POSITION_SECONDS)

    def passed_at(self, one: Sent) -> float | None:
        """When the checkpoint had passed the record of an acknowledged request; None if it has not."""
        assert one.where, one.told()
        seen = self._seen.get(one.where[:2], [])
        return next((at for next_offset, at in seen if next_offset > one.where[2]), None)


@dataclass(frozen=True, slots=True)
class Stage:
    """Made by `on_stage`."""

    system: GrowingSystem
    load: Load
    database: Any
    uri: str
    kafka: str
    token: Token
    positions: Positions

    async def during(self, change: str, work: Callable[[], Awaitable[object]], after: float = 1.0) -> Figures:
        """Do the work under load, and go on for `after` seconds. Returns the figures of the whole time."""
        first, began = len(self.load.ledger.sent), time.monotonic()
        await work()
        await asyncio.sleep(after)
        sent = self.load.ledger.sent[first:]
        seconds = time.monotonic() - began
        await until(lambda: all(one.acked_at or one.refused for one in sent), f"{change}: requests without an answer")
        where = [one for one in sent if one.where]
        await until(lambda: all(map(self.positions.passed_at, where)), f"{change}: records that are not counted")
        errors = Counter(answer for one in sent for answer in one.answers if answer != "200")
        acked = [one.acked_at - one.first_at for one in sent if one.acked_at and one.first_at]
        visible = [(self.positions.passed_at(one) or 0) - (one.first_at or 0) for one in where]
        return Figures(change, acked, visible, errors, seconds)

    async def until_used(self, partitions: int) -> None:
        """Until batches that were sent from now on have gone to so many partitions."""
        first = len(self.load.ledger.sent)

        def used() -> set[int]:
            return {one.where[1] for one in self.load.ledger.sent[first:] if one.where and one.api == "games"}

        await until(lambda: len(used()) == partitions, f"{partitions} partitions are not all used")

    async def resend(self, sent: Sequence[Sent]) -> None:
        """Send these again, wherever their keys belong now. Each resend is a duplicate, and its receipt says so."""
        again = await asyncio.gather(*map(self.load.resend, sent))
        states = await self.receipts(again)
        assert {"duplicate": len(sent)} == states, dict(states)

    async def receipts(self, sent: Sequence[Sent]) -> Counter[str]:
        """The states of these receipts, asked of any ingress, once none is pending."""
        timeout = aiohttp.ClientTimeout(total=RECEIPT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.timeout(PATIENCE_SECONDS):
            return Counter(await asyncio.gather(*(self._receipt(session, one) for one in sent)))

    async def _receipt(self, session: aiohttp.ClientSession, one: Sent) -> str:
        """Ask the ingresses in turn: one of them may be down or frozen."""
        headers = {"Authorization": f"Bearer {self.token(one.player)}"}
        for ingress in cycle(self.system.ingresses):
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"{ingress.url}/v1/receipts/{one.receipt}", headers=headers) as reply:
                    state = str((await reply.json())["state"]) if reply.status == OK else str(reply.status)
                    if state not in NOT_YET:
                        return state
            await asyncio.sleep(0.1)
        raise AssertionError("there are ingresses")

    async def counted(self) -> None:
        """End the load. Every request must be counted once, and no client may have got an error it can't resend."""
        await self.load.finish(PATIENCE_SECONDS)
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            stored = await asyncio.to_thread(read_stored, self.uri, self.system.database, APP)
            verdict = judge(self.load.ledger, stored)
            if not (verdict.lost or verdict.wrong) or time.monotonic() > give_up:
                break
            await asyncio.sleep(0.2)
        assert not self.load.ledger.open
        for fault in (verdict.lost, verdict.double, verdict.refused, verdict.false_duplicates):
            assert [] == [one.told() for one in fault]
        assert [] == verdict.wrong

    async def restart(self, processes: Sequence[Process]) -> None:
        """One after the other: the next one only when the one before is ready again."""
        for process in processes:
            assert 0 == await self.system.stop(process), self.system.log(process).read_text()[-2_000:]
            await self.system.start_ready(process)


@asynccontextmanager
async def on_stage(
    servers: Servers,
    folder: Path,
    *,
    workers: int,
    partitions: int,
    consoles: int = 0,
    code: Path = ROOT,
    drain: int = 3,
) -> AsyncIterator[Stage]:
    """A new system under load: every process is ready, and records of both APIs have been acknowledged.

    `code`: what `init` and the processes run; commands that the test runs later are this version's. `drain`: seconds
    for which a stopping ingress still accepts requests.
    """
    (folder / "data").mkdir(parents=True)
    settings = settings_of(servers.kafka, servers.mongodb, folder) | {
        "kafka.partitions": str(partitions),
        "kafka.replication_factor": "1",
        "ingress.drain_seconds": str(drain),
    }
    children = Children(folder / "logs")
    try:
        system = GrowingSystem(children, folder, settings, workers, consoles)
        await system.set_up(code)
        urls = [ingress.url for ingress in system.ingresses]
        token = issuer_of(folder)
        async with loading(urls, token) as load, AsyncMongoClient[dict[str, Any]](servers.mongodb) as client:
            positions = Positions(client[system.database])
            async with beside(balance(system, urls), positions.watch()):
                await until(lambda: load.acknowledged() >= 2 * RESENT, "nothing was acknowledged")
                yield Stage(system, load, client[system.database], servers.mongodb, servers.kafka, token, positions)
            await client.drop_database(system.database)
    finally:
        children.kill_all()
        children.close()


@asynccontextmanager
async def beside(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run these as long as the block."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        pending = set(tasks)
        while pending:  # a call of the client may swallow a cancellation
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=1)


async def balance(system: GrowingSystem, urls: list[str]) -> None:
    """A load balancer: requests go to ingresses whose /readyz answers 200."""
    while True:
        ready = [one.url for one in system.ingresses if await asyncio.to_thread(is_ready, one)]
        urls[:] = ready or urls
        await asyncio.sleep(LOOK_SECONDS)


async def until(done: Callable[[], bool], why: str) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < give_up, why
        await asyncio.sleep(0.05)
