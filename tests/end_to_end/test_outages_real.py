"""An outage of a server, as its operator sees it: a gauge, and two lines in the log of each process that uses it."""

import asyncio
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from ops.reference import METRICS_PAGE
from tests.end_to_end.watched import Stage, Watched, stage
from tests.frozen import frozen

pytestmark = pytest.mark.real

# Longer than an outage: after a shorter session the broker is elected anew, and the worker says that too.
LONG_SESSION_MILLIS = "60000"

# After a server has gone, its gauge must be 0 within this time.
GAUGE_SECONDS = 10.0
# What the machine that runs the tests may add, under load.
SLOW_SECONDS = 10.0

# A broker that was lost is elected anew.
NEW_LEADER = ("leader_changed",)


def lost(one: Watched, *servers: str) -> list[str]:
    """Those of the servers that this process uses."""
    return [server for server in servers if server in one.dependencies]


async def test_frozen_servers_are_two_lines_each_and_a_gauge(tmp_path: Path) -> None:
    """Kafka and MongoDB at once, while records are sent and counted."""
    async with stage(tmp_path, broker_session_timeout_ms=LONG_SESSION_MILLIS) as made:
        for one in made.watched:
            await assert_documented(one, made.session)
        assert made.kafka.child
        with made.kafka.frozen(), frozen(made.mongod.child.pid):
            await until_lost(made, "kafka", "mongodb")
        await made.until_well()
        assert_two_lines(made, "kafka", "mongodb")


@pytest.mark.faults
async def test_each_outage_is_two_lines_and_a_gauge(tmp_path: Path) -> None:
    """Each server frozen, then killed and started again."""
    async with stage(tmp_path) as made:
        for server in ("kafka", "mongodb"):
            with ExitStack() as stack:
                assert made.kafka.child
                stack.enter_context(made.kafka.frozen() if server == "kafka" else frozen(made.mongod.child.pid))
                await until_lost(made, server)
            await made.until_well()
            assert_two_lines(made, server, also=NEW_LEADER)
            await killed(made, server)
            assert_two_lines(made, server, also=NEW_LEADER)


async def killed(made: Stage, server: str) -> None:
    """Kill a server, and start it again when all know that it is lost."""
    if server == "kafka":
        made.kafka.kill()
        await until_lost(made, server)
        made.kafka.start()
        await asyncio.to_thread(made.kafka.wait)
    else:
        made.mongod.kill()
        await until_lost(made, server)
        await made.mongod.start_again()
    await made.until_well()


async def assert_documented(one: Watched, session: aiohttp.ClientSession) -> None:
    """What a process at work exposes is what docs/metrics.md says: the metrics, their types and their labels."""
    documented = page_of(one.name)
    scraped = {f"{f.name}_total" if f.type == "counter" else f.name: f for f in await one.scraped(session)}
    assert documented.keys() == scraped.keys()
    for name, family in scraped.items():
        kind, labels = documented[name]
        assert kind == family.type
        assert {labels} >= {frozenset(sample.labels) - {"le"} for sample in family.samples}, name


def page_of(process: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Type and labels of each metric of a process, by docs/metrics.md."""
    found, section = {}, ""
    for line in METRICS_PAGE.read_text().splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ").partition(" (")[0].lower()
        elif line.startswith("| `") and section in ("every process", process):
            name, kind, labels = (cell.strip() for cell in line.split("|")[1:4])
            found[name.strip("`")] = (kind, frozenset(label.strip() for label in labels.split(",") if label))
    return found


async def until_lost(made: Stage, *servers: str) -> None:
    seconds = await made.until(lambda one, up: all(up[server] == 0 for server in lost(one, *servers)))
    assert seconds < GAUGE_SECONDS + SLOW_SECONDS


def assert_two_lines(made: Stage, *servers: str, also: Collection[str] = ()) -> None:
    """And not one more, in any process, but `also`."""
    for one in made.watched:
        expected = sorted(f"{server}_{what}" for server in lost(one, *servers) for what in ("lost", "back"))
        found = [event for event in one.events() if event not in also]
        assert expected == sorted(found), (one.name, one.lines())
        assert "Traceback" not in one.log.read_text()
        one.forget()
