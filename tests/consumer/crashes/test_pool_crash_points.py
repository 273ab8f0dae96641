"""A worker of both topics, stopped dead at every step of a flush of pools: one document an event, counted once."""

import asyncio
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from consumer.core.records import Record
from ops.verify.command import recounted
from schemas.documents import EVENTS, PERIOD_COUNTS
from tests.consumer.processes import workers
from tests.consumer.sums import PERIODS_HOUR, declare, fresh_pool, mixed, send, until_applied
from tests.consumer.test_two_topics import send as send_pools
from tests.real import Place, place
from tests.samples import item
from tests.servers import Servers

STEPS = ("read", "plan", "checkpoint", "write", "commit")
# A few records a flush: more flushes than steps, and some of both topics under way at each.
FLUSH_RECORDS = 4
ROUNDS = 12


def pools() -> list[Record]:
    """Of each pool the same again, with one more item, and whole once more: in turns in both partitions."""
    records = []
    for n in range(ROUNDS):
        a, b, c, d = (item(title, PERIODS_HOUR, n=n) for title in "ABCD")
        records += [fresh_pool(a, b), fresh_pool(a, b, c), fresh_pool(a, b), fresh_pool(d, requestId=str(n))]
    return records


async def test_a11_a_crash_at_any_step_of_a_flush_of_pools_leaves_one_document_an_event(
    servers: Servers, tmp_path: Path
) -> None:
    """One worker after the other dies, each at the next step; the last continues. A recount finds no difference."""
    sent, batches = pools(), [*mixed(0, 10, rounds=2), *mixed(1, 1000, rounds=2)]
    more: dict[str, Any] = {"max_flush_records": FLUSH_RECORDS, "max_dead_ratio": 1, "apis": ["games", "analytics"]}
    async with place(servers, partitions=2, **more) as where:
        await declare(where)
        topic = where.settings.kafka.analytics_topic
        await asyncio.gather(send_pools(servers, topic, *sent), send(where.settings, batches))
        with workers(tmp_path, where.settings) as started:
            for number, step in enumerate(STEPS):
                group = f"{where.settings.kafka.group}-{number}"
                dying = started.start_crashing(f"analytics:{step}", kafka__group=group)
                assert await dying.exited() == -signal.SIGKILL, step
            started.start(kafka__group=f"{where.settings.kafka.group}-next")
            await until_applied(where, len(sent) + len(batches))
        await assert_once(where)
        report = await recounted(where.settings)
        assert (True, []) == (report.whole, report.differences.shown)


async def assert_once(where: Place) -> None:
    counted: Counter[str] = Counter()
    for hour in (await where.documents(PERIOD_COUNTS)).values():
        if hour["source"] == "analytics":
            counted[hour["event"]] += hour["count"]
    expected = dict.fromkeys("ABCD", ROUNDS)
    assert expected == counted
    assert expected == Counter(event["event"] for event in (await where.documents(EVENTS)).values())
