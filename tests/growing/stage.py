"""A whole system under load while an operator changes it: processes, a load balancer, and figures of each change."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from pymongo import AsyncMongoClient

from ops.local.servers.ports import choose_ports
from ops.local.servers.processes import Children
from schemas.documents import CHECKPOINTS
from schemas.visible import quantile_seconds
from tests.faults.cluster.stage.checker import judge, read_stored
from tests.faults.cluster.stage.load import Load, Token, loading
from tests.faults.cluster.stage.requests import Sent
from tests.faults.cluster.stage.scene import issuer_of
from tests.faults.cluster.stage.system import APP, Process, System, is_ready, settings_of
from tests.patience import PATIENCE_SECONDS
from tests.servers import Servers

LOOK_SECONDS = 0.1
"""How often the load balancer asks /readyz; an ingress that stops still accepts requests for a second."""
RESENT = 30
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


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one change, in seconds. `acked`: from a request's first try to its answer, retries included.

    `visible`: from Kafka's acceptance of a record until MongoDB had counted it, of every record.
    """

    change: str
    acked: Sequence[float]
    visible: Counter[str]
    errors: Counter[str]

    def text(self) -> str:
        acked = sorted(self.acked)
        p99 = acked[int(len(acked) * 0.99)] if acked else 0.0
        visible = {name: quantile_seconds(self.visible, q) for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}
        return (
            f"{self.change}: {len(acked)} requests, acked p99 {p99:.2f} s, max {max(acked, default=0):.2f} s; "
            f"{self.visible.total()} records visible {visible}; errors {dict(self.errors)}"
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """Made by `on_stage`."""

    system: GrowingSystem
    load: Load
    database: Any
    uri: str
    token: Token

    async def during(self, change: str, work: Callable[[], Awaitable[object]], after: float = 1.0) -> Figures:
        """Do the work under load, and go on for `after` seconds. Returns the figures of the whole time."""
        first, before = len(self.load.ledger.sent), await self.visible()
        await work()
        await asyncio.sleep(after)
        sent = self.load.ledger.sent[first:]
        await until(lambda: all(one.acked_at or one.refused for one in sent), f"{change}: requests without an answer")
        errors = Counter(answer for one in sent for answer in one.answers if answer != "200")
        waits = [one.acked_at - one.first_at for one in sent if one.acked_at and one.first_at]
        return Figures(change, waits, await self.visible() - before, errors)

    async def visible(self) -> Counter[str]:
        """Records by the time they took, as the workers have written it."""
        counts: Counter[str] = Counter()
        async for checkpoint in self.database[CHECKPOINTS].find({}, {"visible": 1}):
            counts.update(checkpoint.get("visible", {}))
        return counts

    async def resend(self, sent: Sequence[Sent]) -> None:
        """Send these again, wherever their key belongs now. Each must be answered as a duplicate."""
        for one in sent:
            again = await self.load.resend(one)
            assert again.duplicate, f"counted again: {again.told()}, first {one.told()}"

    async def receipts(self, sent: Sequence[Sent]) -> Counter[str]:
        """The states of these receipts, asked of any ingress."""
        states: Counter[str] = Counter()
        async with aiohttp.ClientSession() as session:
            for one in sent:
                url = f"{self.system.ingresses[0].url}/v1/receipts/{one.receipt}"
                async with session.get(url, headers={"Authorization": f"Bearer {self.token(one.player)}"}) as reply:
                    states[(await reply.json())["state"] if reply.status == 200 else str(reply.status)] += 1
        return states

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
    servers: Servers, folder: Path, *, workers: int, partitions: int, consoles: int = 0
) -> AsyncIterator[Stage]:
    """A new system under load: every process is ready, and records of both APIs have been acknowledged."""
    (folder / "data").mkdir(parents=True)
    settings = settings_of(servers.kafka, servers.mongodb, folder) | {
        "kafka.partitions": str(partitions),
        "kafka.replication_factor": "1",
    }
    children = Children(folder / "logs")
    try:
        system = GrowingSystem(children, folder, settings, workers, consoles)
        await system.initialise()
        await system.start_all()
        urls = [ingress.url for ingress in system.ingresses]
        token = issuer_of(folder)
        async with loading(urls, token) as load, AsyncMongoClient[dict[str, Any]](servers.mongodb) as client:
            balancing = asyncio.create_task(balance(system, urls))
            await until(lambda: load.acknowledged() >= 2 * RESENT, "nothing was acknowledged")
            yield Stage(system, load, client[system.database], servers.mongodb, token)
            balancing.cancel()
            await client.drop_database(system.database)
    finally:
        children.kill_all()
        children.close()


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
