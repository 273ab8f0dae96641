"""A killed worker's open transaction delays no other worker: the next owner kills its session."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient

from tests.consumer.processes import WorkerProcess, Workers, workers
from tests.consumer.sums import Sent, assert_exact, checkpoints, counting, send, until_applied
from tests.real import Place, place
from tests.servers import Servers

LIFETIME = "transactionLifetimeLimitSeconds"
# Longer than any test waits: what moves on has been freed by somebody. (The server's default is 60, the local stack's
# 15.)
LONG_SECONDS = 3_600


@asynccontextmanager
async def transactions_live_long(servers: Servers) -> AsyncIterator[AsyncMongoClient[dict[str, Any]]]:
    """The server ends no transaction by itself within this block."""
    async with AsyncMongoClient[dict[str, Any]](servers.mongodb) as client:
        before = await client.admin.command({"getParameter": 1, LIFETIME: 1})
        await client.admin.command({"setParameter": 1, LIFETIME: LONG_SECONDS})
        try:
            yield client
        finally:
            await client.admin.command({"setParameter": 1, LIFETIME: before[LIFETIME]})


async def open_transactions(client: AsyncMongoClient[dict[str, Any]], lsid: bytes) -> int:
    """How many the server holds open for this session."""
    idle: list[dict[str, Any]] = [
        {"$currentOp": {"allUsers": True, "idleSessions": True}},
        {"$match": {"lsid.id": lsid}},
    ]
    found = await (await client.admin.aggregate(idle)).to_list()
    return sum("transaction" in operation for operation in found)


async def killed_with_its_transaction_open(where: Place, started: Workers, sent: list[Sent]) -> WorkerProcess:
    """A worker that wrote everything of its second flush, and died before the commit."""
    await send(where.settings, sent)
    dead = started.start_crashing("write", nth=2)
    assert await dead.exited() == -signal.SIGKILL
    left = (await checkpoints(where))["r1/00"]
    assert 0 < left["next"] < len(sent)
    return dead


async def test_partitions_of_a_killed_worker_move_on_though_its_transaction_is_open(
    servers: Servers, tmp_path: Path
) -> None:
    """The group's session, then killSessions; the server itself would have kept it for an hour."""
    sent = [counting(0, number) for number in range(10, 110)]
    async with (
        transactions_live_long(servers) as client,
        place(servers, partitions=1, max_flush_records=20) as where,
    ):
        with workers(tmp_path, where.settings) as started:
            await killed_with_its_transaction_open(where, started, sent)
            left = (await checkpoints(where))["r1/00"]
            assert await open_transactions(client, left["lsid"]) == 1, "the server keeps what the dead worker began"
            started.start()
            await until_applied(where, len(sent))
            await assert_exact(where, sent)


async def test_without_killing_its_session_the_partition_would_wait(servers: Servers, tmp_path: Path) -> None:
    """Without killSessions nothing moves until the session is killed by hand."""
    sent = [counting(0, number) for number in range(10, 110)]
    async with (
        transactions_live_long(servers) as client,
        place(servers, partitions=1, max_flush_records=20) as where,
    ):
        with workers(tmp_path, where.settings) as started:
            await killed_with_its_transaction_open(where, started, sent)
            left = (await checkpoints(where))["r1/00"]
            next_group = f"{where.settings.kafka.group}-next"
            waiting = started.start_crashing("never", without="killSessions", kafka__group=next_group)
            await waiting.says('"event": "call_delayed"')
            await asyncio.sleep(2)
            assert (await checkpoints(where))["r1/00"] == left, "not even its name is on the checkpoint"
            assert await open_transactions(client, left["lsid"]) == 1
            await client.admin.command("killSessions", [{"id": left["lsid"]}])
            await until_applied(where, len(sent))
            await assert_exact(where, sent)
