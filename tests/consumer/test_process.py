"""A worker process on real servers: it starts, reports, stops, refuses."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from consumer.core.records import Record
from ops.config import Settings, variable_of
from ops.local.servers.ports import choose_ports
from schemas.documents import CHECKPOINTS, LINEAGES, PLAYERS
from serving.http.life import listening
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place, produce
from tests.samples import KEYS, batch, period, sealed, update
from tests.servers import Servers

# Longer than any test waits.
FOR_EVER_SECONDS = 3_600

NOWHERE = "mongodb://127.0.0.1:1"


def one(offset: int) -> Record:
    return sealed(offset, batch(period(update()), request_id=str(offset + 1)), request_id=offset + 1)


@asynccontextmanager
async def worker_process(settings: Settings, port: int, **environ: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`tallymill worker`, killed at the end if it still runs."""
    own = {
        variable_of("kafka.bootstrap_servers"): settings.kafka.bootstrap_servers or "",
        variable_of("kafka.records_topic"): settings.kafka.records_topic,
        variable_of("kafka.analytics_topic"): settings.kafka.analytics_topic,
        variable_of("kafka.group"): settings.kafka.group,
        variable_of("mongodb.uri"): settings.mongodb.uri.get_secret_value() if settings.mongodb.uri else "",
        variable_of("mongodb.database"): settings.mongodb.database,
        variable_of("signing.keys"): f'["{KEYS.keys[0].decode()}"]',
        variable_of("worker.apis"): json.dumps(settings.worker.apis),
        variable_of("worker.metrics_port"): str(port),
        variable_of("worker.session_timeout_seconds"): "6",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ops", "worker", env=os.environ | own | environ, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until_applied(where: Place, offset: int) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        applied = sum(checkpoint["next"] for checkpoint in (await where.documents(CHECKPOINTS)).values())
        if applied >= offset:
            return
        assert time.monotonic() < give_up, applied
        await asyncio.sleep(0.05)


async def get(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as reply:
        return reply.status, await reply.text()


async def until_it_says(port: int, path: str, *words: str) -> None:
    """With status 200."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while (answer := await get(port, path))[0] != 200 or any(word not in answer[1] for word in words):
        assert time.monotonic() < give_up, answer
        await asyncio.sleep(0.05)


def free_port() -> int:
    return choose_ports((0,))[0]


def totals(documents: dict[str, Any]) -> dict[str, Any]:
    return {key: document["totals"] for key, document in documents.items()}


async def test_a_worker_counts_tells_and_stops_on_sigterm(servers: Servers) -> None:
    """Records in, documents out, metrics meanwhile; exit status 0."""
    port = free_port()
    async with place(servers) as where:
        await produce(where.settings, 0, one(0), one(1), one(1))
        async with worker_process(where.settings, port) as process:
            await until_applied(where, 3)
            assert totals(await where.documents(PLAYERS)) == {"demo/ann": {"LEVEL_UP": 2}}
            assert await get(port, "/livez") == (200, '{"alive": true}')
            await until_it_says(port, "/readyz", '{"ready": true, "missing": []}')
            # MongoDB has a flush a moment before the worker hears of it.
            applied, duplicate = (f'records_total{{api="games",fate="{fate}"}}' for fate in ("applied", "duplicate"))
            await until_it_says(port, "/metrics", f"{applied} 2.0", f"{duplicate} 1.0")
            process.terminate()
            assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0


async def test_two_sigkilled_workers_leave_nothing_half_done(servers: Servers) -> None:
    """Killed at any point of its work. The next one continues from the checkpoint, and every sum is right."""
    async with place(servers, partitions=1) as where:
        for round_number in range(3):
            first = round_number * 300
            await produce(where.settings, 0, *(one(n) for n in range(first, first + 300)))
            async with worker_process(
                where.settings, free_port(), **{variable_of("worker.max_flush_records"): "7"}
            ) as p:
                await until_applied(where, first + 50)
                if round_number < 2:
                    p.send_signal(signal.SIGKILL)
                    await p.wait()
                else:
                    await until_applied(where, 900)
        assert totals(await where.documents(PLAYERS)) == {"demo/ann": {"LEVEL_UP": 900}}
        checkpoint = (await where.documents(CHECKPOINTS))["r1/00"]
        assert checkpoint["fates"] == {"applied": 900, "duplicate": 0, "refused": 0, "dead": 0}


async def test_a_topic_without_a_lineage_is_refused_with_what_to_do(servers: Servers) -> None:
    """Exit status 1; nothing is counted."""
    async with place(servers) as where:
        await where.database[LINEAGES].delete_many({})
        async with worker_process(where.settings, free_port()) as process:
            _, said = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
        assert process.returncode == 1
        assert b"tallymill init" in said
        assert {found["next"] for found in (await where.documents(CHECKPOINTS)).values()} == {0}


class Line:
    """A line to MongoDB. The next flush after `is_armed` cuts it, and neither end notices. `lost`: it is cut."""

    def __init__(self, mongodb: str) -> None:
        host, _, port = mongodb.partition("://")[2].partition("/")[0].partition(":")
        self._target = (host, int(port))
        self.is_armed = False
        self.lost = asyncio.Event()

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_connection(*self._target)
        # A killed process resets its connections. Those left open would be warnings in a later test.
        with contextlib.closing(writer), contextlib.closing(their_writer), contextlib.suppress(OSError):
            await asyncio.gather(self._pump(reader, their_writer), self._pump(their_reader, writer))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            if self.is_armed and b"startTransaction\x00" in data:
                self.lost.set()
            if not self.lost.is_set():
                sink.write(data)
        sink.close()


async def said(process: asyncio.subprocess.Process, words: bytes) -> None:
    """Reads its log on to the line with these words."""
    assert process.stderr
    while words not in (line := await process.stderr.readline()):
        assert line, "it ended"


async def test_a_second_sigterm_ends_a_worker_at_once(servers: Servers) -> None:
    """While it waits for a flush in flight, whose MongoDB does not answer."""
    line = Line(servers.mongodb)
    async with await asyncio.start_server(line.forward, "127.0.0.1", 0) as through, place(servers) as where:
        uri = f"mongodb://127.0.0.1:{through.sockets[0].getsockname()[1]}/?directConnection=true"
        own = {variable_of("mongodb.uri"): uri, variable_of("worker.stop_timeout_seconds"): str(FOR_EVER_SECONDS)}
        async with worker_process(where.settings, free_port(), **own) as process:
            await produce(where.settings, 0, one(0))
            await until_applied(where, 1)
            line.is_armed = True
            await produce(where.settings, 0, one(1))
            await asyncio.wait_for(line.lost.wait(), PATIENCE_SECONDS)
            process.terminate()
            await asyncio.wait_for(said(process, b'"stopping"'), PATIENCE_SECONDS)
            await asyncio.sleep(0.5)
            assert process.returncode is None, "it waits for what is in flight"
            process.terminate()
            assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 130
            assert totals(await where.documents(PLAYERS)) == {"demo/ann": {"LEVEL_UP": 1}}


async def test_a_port_in_use_is_one_line_without_a_trace() -> None:
    """As of ingress and console. No server is asked: the port comes first."""
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        settings = Settings.model_validate({"kafka": {"bootstrap_servers": "127.0.0.1:1"}, "mongodb": {"uri": NOWHERE}})
        async with worker_process(settings, port) as process:
            _, written = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    (line,) = [json.loads(line) for line in written.splitlines()]
    assert 1 == process.returncode
    expected = ("error", "port_not_taken", port, "address already in use")
    assert expected == (line["level"], line["event"], line["port"], line["reason"])
