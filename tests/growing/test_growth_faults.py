"""Partitions are added under load, and something fails at that moment. Ids that were sent before come again meanwhile.

An id belongs to another partition after the change. So the same id can be in two partitions, written by two ingresses
that know different numbers of partitions, by a client's second try, or from a socket that a frozen ingress reads late.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops.local.servers.processes import Child, Children
from ops.local.servers.source import Sources
from ops.local.servers.stack import ANY_PORTS, start_servers, wait_for_kafka
from serving.kafka.topic import topic_shape
from tests.conftest import REPORT
from tests.faults.cluster.stage.system import Process
from tests.growing.crossing import bring_at_once, each_counted_once
from tests.growing.stage import RESENT, Stage, on_stage, until
from tests.kafka.admin import admin_of
from tests.servers import Servers
from tests.upgrade.previous import previous_release, runs

pytestmark = [pytest.mark.real, pytest.mark.faults, pytest.mark.timeout(600)]

BEFORE, AFTER = 3, 8
FROZEN_REQUESTS = 10
"""So many requests wait for a frozen ingress before the partitions are added."""

Note = Callable[[str, object], None]


@dataclass(slots=True)
class Broker:
    """The only one. It can be killed and started again at its address."""

    address: str
    children: Children
    child: Child

    def restart(self) -> None:
        """SIGKILL, and a new process on the same log."""
        self.children.forget(self.child)
        self.child = self.children.start(self.child.program)
        wait_for_kafka(self.address, self.child, None)


@asynccontextmanager
async def own_servers(folder: Path) -> AsyncIterator[tuple[Servers, Broker]]:
    """Servers that only this test uses."""
    with Children(folder / "server-logs") as children:
        started = await asyncio.to_thread(start_servers, children, folder, Sources("local", "local"), ANY_PORTS)
        assert started.kafka
        assert started.kafka_address
        assert started.mongodb_uri
        yield (
            Servers(started.kafka_address, started.mongodb_uri),
            Broker(started.kafka_address, children, started.kafka),
        )


async def grow(stage: Stage, fault: Callable[[], Awaitable[object]]) -> None:
    """Add partitions, and let the fault happen as soon as Kafka has them in the first topic.

    `init` is run again if the fault has stopped it. Meanwhile requests from before are sent again; each must be a
    duplicate in whatever partition it comes.
    """
    early = stage.load.ledger.acknowledged[: 2 * RESENT]
    adding = asyncio.create_task(stage.system.run("init", "--partitions", str(AFTER)))
    await until_added(stage)
    resending = asyncio.create_task(stage.resend(early))
    await fault()
    if (await adding).status != 0:
        ran = await stage.system.run("init", "--partitions", str(AFTER))
        assert 0 == ran.status, ran.out + ran.err
    await resending
    await stage.until_used(AFTER)


async def until_added(stage: Stage) -> None:
    async with admin_of(stage.kafka) as admin:
        while (await topic_shape(admin, stage.system.topics[0])).partitions < AFTER:  # noqa: ASYNC110 no event
            await asyncio.sleep(0.02)


async def each_once(stage: Stage) -> None:
    """After the change: ids from before, and from while it was made, are duplicates; every sum is right."""
    sent = stage.load.ledger.acknowledged
    await stage.resend([*sent[:RESENT], *sent[-5 * RESENT :]])
    await stage.counted()
    assert {"applied": RESENT} == await stage.receipts(sent[:RESENT])
    await bring_at_once(stage, AFTER)
    await each_counted_once(stage)
    ran = await stage.system.run("verify")
    assert 0 == ran.status, ran.out + ran.err


async def killed(stage: Stage, process: Process) -> None:
    stage.system.kill(process)
    await stage.system.start_ready(process)


@pytest.mark.parametrize("kind", ["worker", "ingress"])
async def test_a_process_is_killed_while_partitions_are_added(
    servers: Servers, tmp_path: Path, record_property: Note, kind: str
) -> None:
    async with on_stage(servers, tmp_path / "system", workers=2, partitions=BEFORE) as stage:
        process = {"worker": stage.system.workers, "ingress": stage.system.ingresses}[kind][0]
        figures = await stage.during(f"{kind} killed", lambda: grow(stage, lambda: killed(stage, process)))
        record_property(REPORT, figures.text())
        await each_once(stage)


async def test_kafka_restarts_while_partitions_are_added(tmp_path: Path, record_property: Note) -> None:
    """The only broker, killed when one topic has its partitions and the other may not."""
    async with (
        own_servers(tmp_path) as (servers, broker),
        on_stage(servers, tmp_path / "system", workers=2, partitions=BEFORE) as stage,
    ):
        down: list[float] = []

        async def restart() -> None:
            began = time.monotonic()
            await asyncio.to_thread(broker.restart)
            down.append(time.monotonic() - began)

        figures = await stage.during("Kafka restarted", lambda: grow(stage, restart))
        record_property(REPORT, f"{figures.text()}; Kafka answered again after {down[0]:.1f} s")
        await each_once(stage)


async def test_an_ingress_that_was_frozen_writes_late_by_the_old_number(
    servers: Servers, tmp_path: Path, record_property: Note
) -> None:
    """Its clients have sent the same requests to the other ingress meanwhile, and these lie in other partitions."""
    async with on_stage(servers, tmp_path / "system", workers=2, partitions=BEFORE) as stage:
        frozen = stage.system.ingresses[1]

        async def freeze() -> None:
            stage.system.freeze(frozen)
            first = len(stage.load.ledger.sent)
            await until(lambda: len(stage.load.ledger.sent) > first + FROZEN_REQUESTS, "no load")
            try:
                await grow(stage, lambda: asyncio.sleep(0))
            finally:
                stage.system.thaw(frozen)

        figures = await stage.during("ingress frozen", freeze)
        assert figures.errors, "no request had to be sent again"
        record_property(REPORT, figures.text())
        await each_once(stage)


@pytest.mark.parametrize("leads", ["this release leads", "the previous release leads"])
async def test_two_releases_share_one_system_while_partitions_are_added(
    servers: Servers, tmp_path: Path, record_property: Note, leads: str
) -> None:
    """An old worker and a new one in each group, an old ingress and a new one.

    The ingress of the previous release uses a new partition as soon as it knows it. The worker that has been in the
    group for longer is its leader, and decides how soon the partitions are shared out.
    """
    code = previous_release(tmp_path)
    async with on_stage(servers, tmp_path / "system", workers=2, partitions=BEFORE) as stage:
        older = [stage.system.workers[0], stage.system.ingresses[1]]
        for process in older:
            runs(process, code)
        await stage.restart(older)
        if leads.startswith("the previous"):
            await stage.restart([stage.system.workers[1]])
        figures = await stage.during(f"two releases, {leads}", lambda: grow(stage, lambda: asyncio.sleep(0)))
        record_property(REPORT, figures.text())
        await each_once(stage)
