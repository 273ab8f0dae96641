"""docs/scaling.md's shard keys, checked without a mongos: MongoDB's profiler records what every process asks for.

A document is found by its `_id`, or mongos asks all shards. The page says which reads do that, and for each of them
which process. No write may.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiokafka import AIOKafkaProducer

from schemas.documents import CHECKPOINTS, EVENTS, EXCEPTIONS, PERIOD_COUNTS, PLAYERS, REQUESTS
from schemas.requirements import indexes
from schemas.settings import KafkaSettings, Limits
from tests.faults.cluster.stage.system import APP, EVENT, ROOT
from tests.growing.profile import Key, Operation, Profile, profiled
from tests.growing.stage import RESENT, Stage, on_stage
from tests.patience import PATIENCE_SECONDS
from tests.servers import Servers

SECTION = (ROOT / "docs" / "scaling.md").read_text().partition("**One sharded cluster**")[2]
WRITES = ("insert", "update", "remove")
READS = ("find", "aggregate")
COMMANDS = (("verify",), ("doctor",), ("lineage",), ("dead-letters", "list"), ("definitions", "list"), ("init",))
NAMES = {"commands": "tallymill"}
"""The page's name of what calls itself by another one."""
REFUSED = (
    b'{"requestId":"9","timePeriods":[{"timePeriod":{"periodStartMillis":"1","periodEndMillis":"60001"},'
    b'"updates":[{"definitionId":"NOPE","updateCount":"1"}]}]}'
)


def keys() -> dict[str, Key]:
    """The shard keys of the page, by collection."""
    rows = re.findall(r'^\| ((?:`\w+`(?:, )?)+) \| `\{_id: (1|"hashed")\}`', SECTION, re.MULTILINE)
    return {name: "1" if key == "1" else "hashed" for names, key in rows for name in re.findall(r"\w+", names)}


def asked_of_all() -> set[tuple[str, str, str]]:
    """Collection, fields and process of each read that the page says asks all shards."""
    table = SECTION.partition("| asks all shards of | by |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE)
    return {(name, by, NAMES.get(one, one)) for name, by, processes in rows for one in processes.split(", ")}


def test_the_page_has_keys_for_all_collections_that_grow() -> None:
    assert {PLAYERS, EVENTS, PERIOD_COUNTS, REQUESTS, EXCEPTIONS, "dead_letters"} == keys().keys()
    commands = dict(re.findall(r'sh\.shardCollection\("tallymill\.(\w+)", \{_id: (1|"hashed")\}\)', SECTION))
    assert {name: key.strip('"') for name, key in commands.items()}.items() <= keys().items()


def test_no_index_is_unique_but_that_of_the_shard_key() -> None:
    """MongoDB refuses to shard a collection with a unique index that does not begin with the shard key."""
    source = (ROOT / "ops" / "init" / "command.py").read_text()
    assert "unique" not in source
    assert all(not hasattr(index, "unique") for index in indexes(KafkaSettings(), Limits()))


@pytest.mark.parametrize(
    ("asked", "by_value", "by_hash"),
    [
        ({"_id": "a/b"}, True, True),
        ({"_id": {"$in": ["a/b"]}, "event": "x"}, True, True),
        ({"_id": {"$gte": "a/", "$lt": "a0"}}, True, False),
        ({"$or": [{"_id": {"$gte": "a", "$lt": "b"}}, {"_id": "c"}]}, True, False),
        ({"$or": [{"_id": "a"}, {"app": "a"}]}, False, False),
        ({"_id": {"$exists": True}}, False, False),
        ({"keys": {"$in": [1]}}, False, False),
        ({}, False, False),
    ],
)
def test_what_mongos_can_route(asked: dict[str, Any], *, by_value: bool, by_hash: bool) -> None:
    """As MongoDB's manual says: a hashed key by whole values alone."""
    one = Operation("players", "find", asked, "tallymill worker", None)
    assert (by_value, by_hash) == (one.is_routed("1"), one.is_routed("hashed"))


@pytest.mark.real
@pytest.mark.faults
@pytest.mark.timeout(300)
async def test_every_write_names_its_document_and_the_page_has_each_read_that_does_not(
    servers: Servers, tmp_path: Path
) -> None:
    """All processes and commands at work: counts, duplicates, refused records, dead letters, queries, a recount."""
    async with profile_of_everything(servers, tmp_path) as profile:
        pass
    unrouted = {
        (one.collection, one.name, one.fields, one.process)
        for name, key in keys().items()
        for one in profile.of(name, *WRITES)
        if not one.is_routed(key)
    }
    assert set() == unrouted
    assert {"tallymill worker"} == {one.process for name in keys() for one in profile.of(name, *WRITES)}
    for name in keys():
        assert any(profile.of(name, *WRITES)), f"nothing was written to {name}"
    asked = {
        (name, one.fields, one.process.removeprefix("tallymill "))
        for name, key in keys().items()
        for one in profile.of(name, *READS)
        if not one.is_routed(key)
    }
    assert sorted(asked_of_all()) == sorted(asked)
    moves = [one for one in profile.of(CHECKPOINTS, "update") if "next" in one.filter]
    assert moves
    assert all({"_id", "next"} == one.filter.keys() for one in moves)
    assert {"snapshot"} == {one.read_concern for one in profile.operations if one.read_concern is not None}


@asynccontextmanager
async def profile_of_everything(servers: Servers, folder: Path) -> AsyncIterator[Profile]:
    async with (
        on_stage(servers, folder / "system", workers=1, partitions=2, consoles=1, drain=0) as stage,
        profiled(stage) as profile,
    ):
        await stage.resend(stage.load.ledger.acknowledged[:RESENT])
        async with AIOKafkaProducer(bootstrap_servers=servers.kafka) as producer:
            for topic in stage.system.topics:
                await producer.send_and_wait(topic, b"\xff", partition=0)
            await producer.send_and_wait(stage.system.topics[0], REFUSED, key=f"{APP}/refused".encode(), partition=0)
        await ask_all(stage)
        await stage.counted()
        for words in COMMANDS:
            ran = await stage.system.run(*words)
            assert ran.status in {0, 1}, f"{words}: {ran.out}{ran.err}"
        await stage.restart(stage.system.workers)
    yield profile


async def ask_all(stage: Stage) -> None:
    """Every query of console and ingress that reads counts, events or ids."""
    sent = stage.load.ledger.acknowledged
    games, pool = (next(one for one in sent if one.api == api) for api in ("games", "analytics"))
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    times = f"from={(hour - timedelta(hours=3)).isoformat()}Z&to={(hour + timedelta(hours=1)).isoformat()}Z"
    counts = [f"counts?app={APP}&source={one}&{times}&step=" for one in ("games", "analytics")]
    queries = [f"{one}{step}" for one in counts for step in ("total", "minute", "hour", "day", "total&top=2")]
    queries += [f"{counts[0]}hour&event={EVENT}&fill=zero", f"events?app={APP}&actor={pool.player}"]
    queries += [f"events?app={APP}&event=Search&{times}", f"events?app={APP}&{times}", "apps", f"apps?app={APP}"]
    queries += [
        f"definitions?app={APP}",
        f"dead-letters?app={APP}",
        "dead-letters",
        f"players/{games.player}?app={APP}",
    ]
    queries += [f"requests/{games.number + 1}?player={games.player}&app={APP}&source=games", "system"]
    queries += [f"requests/pool-{pool.number}?player={pool.player}&app={APP}&source=analytics"]
    queries += [f"receipts/{one.receipt}?app={APP}" for one in (games, pool)]
    await _ask(stage.system.consoles[0].url, stage.token("reader"), [f"v1/{one}" for one in queries])
    own = ["games/v1/events", f"v1/requests/{games.number + 1}", f"v1/receipts/{games.receipt}"]
    await _ask(stage.system.ingresses[0].url, stage.token(games.player), own)


async def _ask(url: str, token: str, queries: list[str]) -> None:
    timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}, timeout=timeout) as session:
        for query in queries:
            async with session.get(f"{url}/{query}") as reply:
                assert 200 == reply.status, f"{query}: {await reply.text()}"
