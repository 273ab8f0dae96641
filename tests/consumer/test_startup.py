"""A worker refuses to start if the promise can't be kept, says what to change, and waits for unavailable servers.

The messages themselves: tests/schemas/test_requirements.py.
"""

import asyncio
import contextlib
from pathlib import Path

import pytest

from ops.config import Settings, variable_of
from schemas.checkpoints import LAYOUT
from schemas.documents import CHECKPOINTS, EXCEPTIONS, LINEAGES, REQUESTS, utc
from tests.consumer.test_process import free_port, one, until_applied, worker_process
from tests.mongodb.standalone import standalone_mongod
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, change_topic, place, produce
from tests.servers import Servers

# What a worker logs before it looks for its servers.
BEFORE = (b'"listening"', b'"topic_at_risk"', b'"mongodb_direct_connection"')


async def refused(settings: Settings, **environ: str) -> str:
    """The log of a worker process that ends by itself with status 1."""
    async with worker_process(settings, free_port(), **environ) as process:
        _, said = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    assert 1 == process.returncode, said
    assert b"Traceback" not in said
    assert b"Unclosed" not in said
    return said.decode()


async def shorten(where: Place, collection: str) -> None:
    index = {"name": "at_1", "expireAfterSeconds": 3_600}
    await where.database.command("collMod", collection, index=index)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("cleanup.policy", "compact"),
        ("message.timestamp.type", "CreateTime"),
        ("max.message.bytes", "1048576"),
        ("retention.ms", "-1"),
        ("retention.ms", "3600000"),
        ("retention.bytes", "1000000"),
    ],
)
async def test_a_topic_that_breaks_the_promise_is_refused(servers: Servers, setting: str, value: str) -> None:
    """Changed behind our back, after init; nothing is read of it."""
    async with place(servers) as where:
        await produce(where.settings, 0, one(0))
        await change_topic(where.settings, **{setting: value})
        said = await refused(where.settings)
        assert f"topic {where.settings.kafka.records_topic}: {setting} is {value}, must be " in said
        assert {0} == {checkpoint["next"] for checkpoint in (await where.documents(CHECKPOINTS)).values()} | {0}


async def test_ttls_that_forget_too_soon_are_refused_both_at_once(servers: Servers) -> None:
    """As after a longer retention was set: an id forgotten before its repeat comes would count twice."""
    async with place(servers) as where:
        for collection in (REQUESTS, EXCEPTIONS):
            await shorten(where, collection)
        said = await refused(where.settings)
        for collection in (REQUESTS, EXCEPTIONS):
            assert f"index {collection}.at_1: expireAfterSeconds is 3600, must be at least 1209600" in said


async def test_ids_of_the_earlier_layout_are_refused(servers: Servers) -> None:
    """And so is a database that `init` has not given the index by which ids are looked up."""
    async with place(servers) as where:
        await where.database[REQUESTS].insert_one({"_id": "demo/ann/7", "crc": 0, "from": "r1/00/0", "at": utc(0)})
        await where.database[REQUESTS].drop_index("keys_1")
        said = await refused(where.settings)
        assert "collection requests has the layout of an earlier version" in said
        assert "index requests.keys_1 is missing: run `tallymill init`" in said


async def test_a_database_of_a_newer_version_is_refused(servers: Servers) -> None:
    """Its ids may be such that this version finds none of them. Any lineage says so, also one of the other topic."""
    async with place(servers) as where:
        other = {"topic": where.settings.kafka.analytics_topic}
        await where.database[LINEAGES].update_one(other, {"$set": {"layout": LAYOUT + 1}})
        said = await refused(where.settings)
        assert f"the database has layout {LAYOUT + 1}" in said
        assert "start_refused" in said


async def test_a_standalone_mongod_is_refused_together_with_what_kafka_has_wrong(
    servers: Servers, tmp_path: Path
) -> None:
    """All reasons at once, or each would cost a deployment."""
    async with place(servers) as where:
        await change_topic(where.settings, cleanup_policy="compact")
        with standalone_mongod(tmp_path) as uri:
            said = await refused(where.settings, **{variable_of("mongodb.uri"): uri})
    assert "cleanup.policy is compact" in said
    assert "mongodb.uri names a standalone server" in said


async def test_what_is_wrong_with_kafka_is_told_while_mongodb_is_away(servers: Servers) -> None:
    """It is certain, and waiting would hide it."""
    async with place(servers) as where:
        await change_topic(where.settings, cleanup_policy="compact")
        away = f"mongodb://127.0.0.1:{free_port()}/?directConnection=true"
        assert "cleanup.policy is compact" in await refused(where.settings, **{variable_of("mongodb.uri"): away})


async def test_a_server_that_is_away_is_waited_for(servers: Servers) -> None:
    """MongoDB comes up after the worker: it checks then, and counts."""
    host, _, port = servers.mongodb.partition("://")[2].partition("/")[0].partition(":")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        # A killed process resets its connections. Those left open would be warnings in a later test.
        with contextlib.closing(writer), contextlib.closing(far_writer), contextlib.suppress(OSError):
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            sink.write(data)
        sink.close()

    through = free_port()
    uri = f"mongodb://127.0.0.1:{through}/?directConnection=true"
    async with place(servers) as where:
        await produce(where.settings, 0, one(0))
        async with worker_process(where.settings, free_port(), **{variable_of("mongodb.uri"): uri}) as process:
            assert process.stderr
            async with asyncio.timeout(PATIENCE_SECONDS):
                while b'_lost"' not in (line := await process.stderr.readline()):
                    assert any(event in line for event in BEFORE), line
            async with await asyncio.start_server(forward, "127.0.0.1", through):
                await until_applied(where, 1)
                process.kill()
