"""When a worker ends or stops a partition: a topic that was created again, and a topic of garbage."""

import asyncio
import signal
import time
from pathlib import Path

from aiokafka.admin import NewTopic

from consumer.core.policy import DEAD_ALLOWANCE
from schemas.documents import DEAD_LETTERS
from schemas.requirements import topic_config
from tests.consumer.processes import workers
from tests.consumer.sums import assert_exact, checkpoints, counting, garbage, send, until_applied
from tests.kafka.admin import admin_of
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place
from tests.servers import Servers

# The topic is asked after every trouble, and every 30 s.
NOTICED_SECONDS = PATIENCE_SECONDS + 30


async def make_anew(where: Place) -> None:
    """Delete the topic and make another of its name, as soon as Kafka lets us."""
    topic = where.settings.kafka.records_topic
    right = topic_config(where.settings.kafka, where.settings.limits)
    async with admin_of(where.settings.kafka.bootstrap_servers) as admin:
        await admin.delete_topics([topic])
        give_up = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up:
            answer = await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=right)])
            if not answer.topic_errors[0][1]:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{topic} could not be made anew")


async def test_a_topic_made_anew_under_a_live_worker_ends_it(servers: Servers, tmp_path: Path) -> None:
    """The new topic has records at the next offset to read. None of them may be counted."""
    async with place(servers, partitions=1) as where:
        sent = [counting(0, number) for number in range(10, 15)]
        await send(where.settings, sent)
        with workers(tmp_path, where.settings) as started:
            worker = started.start()
            await until_applied(where, len(sent))
            await make_anew(where)
            await send(where.settings, [counting(0, number) for number in range(100, 150)])
            assert await worker.exited(NOTICED_SECONDS) == 1
            assert "is not the topic that lineage r1 was started with" in worker.said()
        await assert_exact(where, sent)


async def test_a_topic_made_anew_behind_the_back_of_a_worker_ends_it(servers: Servers, tmp_path: Path) -> None:
    """Between two of its fetches, so that no fetch ever fails: a worker that stood still for a second."""
    async with place(servers, partitions=1) as where:
        sent = [counting(0, number) for number in range(10, 15)]
        await send(where.settings, sent)
        with workers(tmp_path, where.settings) as started:
            worker = started.start()
            await until_applied(where, len(sent))
            await worker.freeze()
            await make_anew(where)
            await send(where.settings, [counting(0, number) for number in range(100, 150)])
            worker.send(signal.SIGCONT)
            assert await worker.exited(NOTICED_SECONDS) == 1
        await assert_exact(where, sent)


async def test_a_topic_made_anew_while_the_worker_was_away_ends_it(servers: Servers, tmp_path: Path) -> None:
    """The topic id differs, which shows before a record is read. The name and the offsets are the same."""
    async with place(servers, partitions=1) as where:
        await make_anew(where)
        await send(where.settings, [counting(0, 10)])
        with workers(tmp_path, where.settings) as started:
            worker = started.start()
            assert await worker.exited() == 1
            assert "Its offsets mean other records, so nothing is read" in worker.said()
        assert {found["next"] for found in (await checkpoints(where)).values()} == {0}


async def test_a_topic_of_garbage_stops_its_partition_after_a_hundred_dead_letters(
    servers: Servers, tmp_path: Path
) -> None:
    """Wrong settings must not consume a topic. The worker stays, so that it is not restarted for ever."""
    async with place(servers, partitions=2, max_flush_records=20) as where:
        await send(where.settings, [garbage(0) for _ in range(500)])
        with workers(tmp_path, where.settings) as started:
            worker = started.start()
            await _until_stopped(where, "r1/00")
            sent = [counting(1, number) for number in range(10, 15)]
            await send(where.settings, sent)
            await until_applied(where, len(sent))
            assert worker.child.exit_status() is None
            assert "no ingress has signed" in worker.said()
        dead = len(await where.documents(DEAD_LETTERS))
        assert DEAD_ALLOWANCE - 20 <= dead <= DEAD_ALLOWANCE
        found = (await checkpoints(where))["r1/00"]
        assert (found["next"], found["fates"]["dead"]) == (dead, dead)


async def _until_stopped(where: Place, partition: str) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while "stopped" not in (await checkpoints(where)).get(partition, {}):
        assert time.monotonic() < give_up, "it never stopped"
        await asyncio.sleep(0.02)
