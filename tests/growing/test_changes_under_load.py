"""Each change of a running system by itself, at more load and with more processes: what clients see, and how long.

The figures are printed at the end of the run. docs/scaling.md has some. The assertions leave room
for a busy one.
"""

import asyncio
import re
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewPartitions

from consumer.core.records import Record
from schemas.documents import PLAYERS
from tests.conftest import REPORT
from tests.consumer.sums import counting
from tests.faults.cluster.stage import load
from tests.faults.cluster.stage.system import APP, EVENT, ROOT
from tests.growing.readers import dashboard
from tests.growing.stage import RESENT, Figures, Stage, on_stage, quantile
from tests.kafka.admin import admin_of
from tests.patience import PATIENCE_SECONDS
from tests.servers import Servers

pytestmark = [pytest.mark.real, pytest.mark.faults, pytest.mark.timeout(600)]

RATE = 20.0
"""Requests a second of each API."""
VISIBLE_SECONDS = 10.0
"""Of 99 in 100 requests, from their first try. docs/scaling.md has what was measured."""

Note = Callable[[str, object], None]


@pytest.fixture(autouse=True)
def at_this_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "RATE", RATE)


def told_of(figures: Figures, note: Note) -> None:
    note(REPORT, figures.text())
    assert quantile(figures.visible, 0.99) < VISIBLE_SECONDS, figures.text()


async def calm(stage: Stage, note: Note) -> None:
    note(REPORT, (await stage.during("nothing changes", lambda: asyncio.sleep(10))).text())


def procedure() -> list[str]:
    """The commands of docs/scaling.md that add partitions, in order."""
    section = (ROOT / "docs" / "scaling.md").read_text().partition("## Add partitions")[2].partition("\n## ")[0]
    return re.findall(r"^ +tallymill (.+)$", section, re.MULTILINE)


async def test_partitions_are_doubled(servers: Servers, tmp_path: Path, record_property: Note) -> None:
    """By the commands of the page. Old requests that are sent again are duplicates in partitions new to their ids."""
    *before, init = procedure()[:3]
    after = procedure()[3:]
    assert "init --partitions 12" == init
    async with on_stage(servers, tmp_path / "system", workers=3, partitions=6) as stage:
        await run_all(stage, before)
        await calm(stage, record_property)
        early = stage.load.ledger.acknowledged[: 10 * RESENT]

        async def grow() -> None:
            await run_all(stage, [init])
            await asyncio.gather(stage.resend(early), stage.until_used(12))

        told_of(await stage.during("6 partitions become 12", grow, after=5), record_property)
        await stage.resend(stage.load.ledger.acknowledged[: 20 * RESENT])
        assert {"applied": len(early)} == await stage.receipts(early)
        await stage.counted()
        await run_all(stage, [*after, *before])


async def run_all(stage: Stage, commands: Sequence[str]) -> None:
    for command in commands:
        ran = await stage.system.run(*shlex.split(command))
        assert 0 == ran.status, f"{command}: {ran.out}{ran.err}"


async def test_all_workers_are_restarted(servers: Servers, tmp_path: Path, record_property: Note) -> None:
    async with on_stage(servers, tmp_path / "system", workers=3, partitions=6) as stage:
        await calm(stage, record_property)
        figures = await stage.during("3 workers restarted in turn", lambda: stage.restart(stage.system.workers))
        told_of(figures, record_property)
        assert not figures.errors
        await stage.counted()


async def test_all_ingresses_are_restarted(servers: Servers, tmp_path: Path, record_property: Note) -> None:
    """Clients keep their connections. What a client sees as an error is in the figures; each was sent again and counts.

    On an idle machine there is none: the load balancer has noticed /readyz before the port is closed.
    """
    async with on_stage(servers, tmp_path / "system", workers=2, partitions=6) as stage:
        await calm(stage, record_property)
        figures = await stage.during("2 ingresses restarted in turn", lambda: stage.restart(stage.system.ingresses))
        told_of(figures, record_property)
        await stage.counted()


async def test_all_consoles_are_restarted(servers: Servers, tmp_path: Path, record_property: Note) -> None:
    """A dashboard that turns to the other console always has an answer, and no sum ever shrinks."""
    async with (
        on_stage(servers, tmp_path / "system", workers=2, partitions=6, consoles=2) as stage,
        dashboard(stage.system.consoles, stage.token("reader")) as reader,
    ):
        figures = await stage.during("2 consoles restarted in turn", lambda: stage.restart(stage.system.consoles))
        told_of(figures, record_property)
        assert not figures.errors
        record_property(REPORT, f"{len(reader.sums)} sums read, errors {dict(reader.errors)}")
        assert 0 == reader.unanswered
        assert sorted(reader.sums) == reader.sums
        assert reader.sums[-1] > reader.sums[0]
        await stage.counted()


async def test_records_of_other_producers_wait_only_until_the_group_has_formed(
    servers: Servers, tmp_path: Path, record_property: Note
) -> None:
    """A pipeline that produces to Kafka uses a new partition at once. Workers learn of it by themselves."""
    async with on_stage(servers, tmp_path / "system", workers=2, partitions=2) as stage:
        topic, _ = stage.system.topics
        sent: Record = counting(2, 1, "straight").record
        async with (
            admin_of(servers.kafka) as admin,
            AIOKafkaProducer(bootstrap_servers=servers.kafka, acks="all", metadata_max_age_ms=200) as producer,
        ):
            await admin.create_partitions({topic: NewPartitions(3)})
            began = time.monotonic()
            async with asyncio.timeout(PATIENCE_SECONDS):
                while 2 not in await producer.partitions_for(topic):  # noqa: ASYNC110 another process has no event
                    await asyncio.sleep(0.05)
            await producer.send_and_wait(topic, sent.value, key=f"{APP}/straight".encode(), partition=2)
        while (totals := await stage.database[PLAYERS].find_one({"_id": f"{APP}/straight"})) is None:
            assert time.monotonic() < began + PATIENCE_SECONDS
            await asyncio.sleep(0.05)
        record_property(REPORT, f"counted {time.monotonic() - began:.1f} s after the partition was added")
        assert {EVENT: 1} == totals["totals"]
        await stage.load.finish(PATIENCE_SECONDS)
