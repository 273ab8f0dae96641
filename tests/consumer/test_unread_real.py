"""Records in a partition that no worker reads: every worker and doctor report it until one does."""

import asyncio
import json
import signal
import time
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka.admin import NewPartitions
from prometheus_client.parser import text_string_to_metric_families

from ops.connect import kafka_admin
from ops.doctor.command import examine
from tests.consumer.processes import WorkerProcess, workers
from tests.consumer.sums import assert_exact, counting, send, until_applied
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place
from tests.servers import Servers


async def metric(worker: WorkerProcess, name: str) -> float | None:
    """Of the games API; None while the worker doesn't have it."""
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{worker.port}/metrics") as answer:
            families = text_string_to_metric_families(await answer.text())
    except aiohttp.ClientError:
        return None
    found = [sample.value for family in families if family.name == name for sample in family.samples]
    return found[0] if found else None


async def until_metric(worker: WorkerProcess, name: str, value: float, seconds: float = PATIENCE_SECONDS) -> None:
    give_up = time.monotonic() + seconds
    while (found := await metric(worker, name)) != value:
        assert time.monotonic() < give_up, f"{name} is {found}\n{worker.said()}"
        await asyncio.sleep(0.2)


def lines(worker: WorkerProcess, event: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in worker.said().splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == event]


async def warned(where: Place) -> list[str]:
    what = f"workers of {where.settings.kafka.records_topic}"
    return [one.detail for one in await examine(where.settings) if one.what == what and one.state == "warning"]


async def test_records_of_an_added_partition_are_told_until_it_is_read(servers: Servers, tmp_path: Path) -> None:
    """The group's leader, which would notice the partition, stands still. With a long session it stays the leader."""
    long = {"worker__session_timeout_seconds": PATIENCE_SECONDS}
    async with place(servers, partitions=1) as where:
        with workers(tmp_path, where.settings) as started:
            leader = started.start(**long)
            await send(where.settings, [counting(0, 10)])
            await until_applied(where, 1)
            worker = started.start(**long)
            await worker.says("partitions_assigned")
            await until_metric(worker, "tallymill_worker_unread_partitions", 0)
            await leader.freeze()
            async with kafka_admin(where.settings) as admin:
                await admin.create_partitions({where.settings.kafka.records_topic: NewPartitions(2)})
            await asyncio.sleep(1)
            sent = [counting(1, number) for number in range(20, 25)]
            await send(where.settings, sent)
            told = await warned(where)
            await until_metric(worker, "tallymill_worker_unread_records", len(sent))
            assert 1 == await metric(worker, "tallymill_worker_unread_partitions")
            (one,) = told
            assert one.startswith("no worker reads partition 1: 5 records wait, no worker has read it yet. ")
            (said,) = lines(worker, "partitions_unread")
            assert ([1], len(sent), "warning") == (said["partitions"], said["records"], said["level"])
            leader.send(signal.SIGCONT)
            await until_applied(where, 1 + len(sent))
            await until_metric(worker, "tallymill_worker_unread_partitions", 0)
            assert await metric(worker, "tallymill_worker_unread_records") is None
            (back,) = lines(worker, "partitions_read")
            assert [1] == back["partitions"]
            assert [] == await warned(where)
        await assert_exact(where, [counting(0, 10), *sent])


async def test_records_that_a_frozen_worker_leaves_are_told_by_doctor(servers: Servers, tmp_path: Path) -> None:
    """Its checkpoint does not move, and no worker continues until the group has noticed."""
    async with place(servers, partitions=1) as where:
        with workers(tmp_path, where.settings) as started:
            worker = started.start()
            await send(where.settings, [counting(0, 10)])
            await until_applied(where, 1)
            await worker.freeze()
            await send(where.settings, [counting(0, 11), counting(0, 12)])
            (told,) = await warned(where)
            assert told.startswith("no worker reads partition 0: 2 records wait, its checkpoint does not move. ")
