"""A worker process that reads both topics: each API's records by its own rules, side by side."""

import asyncio
import signal
from pathlib import Path

from aiokafka import AIOKafkaProducer

from consumer.core.records import Record
from schemas.documents import CHECKPOINTS, EVENTS, LINEAGES, PERIOD_COUNTS, PLAYERS
from tests.consumer.processes import workers
from tests.consumer.sums import PERIODS_HOUR, declare, fresh_pool
from tests.patience import PATIENCE_SECONDS
from tests.real import place
from tests.samples import batch, item, period, sealed, update
from tests.servers import Servers

ITEMS = 50


async def send(servers: Servers, topic: str, *records: Record) -> None:
    async with AIOKafkaProducer(bootstrap_servers=servers.kafka, acks="all") as producer:
        for number, record in enumerate(records):
            await producer.send_and_wait(topic, record.value, record.key, number % 2, headers=list(record.headers))


async def test_both_topics_are_read_and_a_kill_counts_nothing_twice(servers: Servers, tmp_path: Path) -> None:
    """Items once by their identity, batches once by their id, after a SIGKILL within a flush, with all sent again."""
    pools = [fresh_pool(*(item(f"T{n}", PERIODS_HOUR, n=i) for i in range(ITEMS))) for n in range(4)]
    batches = [sealed(n, batch(period(update()), request_id=str(n + 1)), request_id=n + 1) for n in range(4)]
    async with place(servers, apis=["games", "analytics"]) as where:
        await declare(where)
        kafka = where.settings.kafka
        with workers(tmp_path, where.settings) as started:
            killed = started.start_crashing("analytics:write")
            await asyncio.gather(
                send(servers, kafka.analytics_topic, *pools, *pools), send(servers, kafka.records_topic, *batches)
            )
            assert -signal.SIGKILL == await killed.exited()
            started.start()
            await send(servers, kafka.analytics_topic, *pools)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while sum(one["next"] for one in (await where.documents(CHECKPOINTS)).values()) < 16:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        events = await where.documents(EVENTS)
        hours = (await where.documents(PERIOD_COUNTS)).values()
        counted = {source: sum(h["count"] for h in hours if h["source"] == source) for source in ("games", "analytics")}
        assert {"games": 4, "analytics": 4 * ITEMS} == counted
        assert 4 * ITEMS == len(events)
        assert {"demo/ann": {"LEVEL_UP": 4}} == {k: p["totals"] for k, p in (await where.documents(PLAYERS)).items()}
        assert {kafka.records_topic, kafka.analytics_topic} == {
            one["topic"] for one in (await where.documents(LINEAGES)).values()
        }
