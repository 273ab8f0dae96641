"""Partitions are added under load: how long acknowledged records wait, what the processes report, and the sums."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiokafka.admin import NewPartitions
from prometheus_client.parser import text_string_to_metric_families

from ops.connect import kafka_admin
from schemas.documents import CHECKPOINTS, PLAYERS
from tests.consumer.processes import WorkerProcess, workers
from tests.consumer.sums import declare
from tests.ingress.real import Running, config, ingress_process, now_millis, until_ready
from tests.ingress.rig import batch, period, token, update
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place
from tests.servers import Servers

pytestmark = [pytest.mark.real, pytest.mark.faults, pytest.mark.timeout(300)]

COUNTED_SECONDS = 40.0
"""The group's leader counts the partitions every two seconds; then the group forms anew. The rest is a busy machine."""
LOAD_SECONDS = 75.0
PAUSE_SECONDS = 0.05


@dataclass
class Seen:
    """Answers and reports while the load ran."""

    accepted: Counter[str] = field(default_factory=Counter)
    most_lag_seconds: float = 0.0
    unread: set[str] = field(default_factory=set)


async def metrics(session: aiohttp.ClientSession, url: str, name: str) -> dict[str, float]:
    """Samples of one gauge of events.record by its partition; by "" if it has none."""
    async with session.get(f"{url}/metrics") as answer:
        families = text_string_to_metric_families(await answer.text())
    samples = (sample for family in families if family.name == name for sample in family.samples)
    samples = (sample for sample in samples if sample.labels["api"] == "games")
    return {sample.labels.get("partition", ""): sample.value for sample in samples}


async def load(running: Running, session: aiohttp.ClientSession, seen: Seen, until: float) -> None:
    number = 0
    while time.monotonic() < until:
        number += 1
        player, now = f"p{number % 40}", now_millis()
        body = batch(period(update(), start=now - 2_000, end=now - 1_000), request_id=number, sent_millis=now)
        bearer = token(exp=now // 1000 + 3_600, sub=player)
        status, _, _ = await running.post(session, body, authorization=f"Bearer {bearer}", prefer="respond-async")
        seen.accepted[player] += status == 200
        await asyncio.sleep(PAUSE_SECONDS)


async def watch(running: Running, worker: WorkerProcess, session: aiohttp.ClientSession, seen: Seen) -> None:
    while True:
        lag = await metrics(session, running.url, "tallymill_ingress_lag_seconds")
        seen.most_lag_seconds = max(seen.most_lag_seconds, lag[""])
        seen.unread |= (
            await metrics(session, f"http://127.0.0.1:{worker.port}", "tallymill_worker_unread_records")
        ).keys()
        await asyncio.sleep(0.5)


async def test_partitions_added_under_load_are_counted_soon_and_told_until_then(
    servers: Servers, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A real ingress, two workers, and forty players whose records change their partition during the load."""
    seen = Seen()
    async with place(servers, partitions=2) as where, aiohttp.ClientSession() as session:
        await declare(where)
        name = where.settings.kafka.records_topic
        with (
            workers(tmp_path, where.settings) as started,
            ingress_process(config(tmp_path, servers.kafka, servers.mongodb, name)) as running,
        ):
            worker, _ = started.start(), started.start()
            await until_ready(running, session)
            await worker.says('"partitions_assigned"')
            watching = asyncio.create_task(watch(running, worker, session, seen))
            loading = asyncio.create_task(load(running, session, seen, time.monotonic() + LOAD_SECONDS))
            await asyncio.sleep(5)
            async with kafka_admin(where.settings) as admin:
                await admin.create_partitions({name: NewPartitions(6)})
            await loading
            await until_counted(where, seen.accepted.total())
            watching.cancel()
        checkpoints = await where.documents(CHECKPOINTS)
        used = {key for key, one in checkpoints.items() if key.startswith("r1/") and one["next"]}
        totals = {key: sum(one["totals"].values()) for key, one in (await where.documents(PLAYERS)).items()}
    record_property("report", f"longest wait {seen.most_lag_seconds:.1f} s; unread told of {sorted(seen.unread)}")
    assert {f"demo/{player}": count for player, count in seen.accepted.items()} == totals
    assert used > {"r1/00", "r1/01"}, "nothing went to the new partitions"
    assert seen.most_lag_seconds <= COUNTED_SECONDS
    assert seen.most_lag_seconds < 10 or seen.unread, "they waited, and no worker said so"


async def until_counted(where: Place, accepted: int) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while (found := sum(sum(one["totals"].values()) for one in (await where.documents(PLAYERS)).values())) < accepted:
        assert time.monotonic() < give_up, f"{found} of {accepted} counted"
        await asyncio.sleep(0.5)
