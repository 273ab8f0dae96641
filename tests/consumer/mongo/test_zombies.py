"""More than one owner: one that slept and wakes up, two of one partition, two partitions of one player. Once each."""

import asyncio
import signal
from pathlib import Path

from tests.consumer.processes import workers
from tests.consumer.sums import assert_exact, checkpoints, counting, declare, mixed, send, until_applied
from tests.real import place
from tests.servers import Servers


async def test_a_worker_that_wakes_up_with_its_transaction_open_writes_nothing_more(
    servers: Servers, tmp_path: Path
) -> None:
    """Other workers took its partitions while it was frozen. Its commit fails, and it joins the group again."""
    async with place(servers, partitions=2, max_flush_records=5, max_dead_ratio=1) as where:
        await declare(where)
        sent = [*mixed(0, 10, rounds=4), *mixed(1, 1000, rounds=4)]
        await send(where.settings, sent)
        with workers(tmp_path, where.settings) as started:
            zombie = started.start_crashing("write", nth=3, number=signal.SIGSTOP)
            await zombie.frozen()
            assert sum(found["next"] for found in (await checkpoints(where)).values()) < len(sent)
            heir = started.start()
            await until_applied(where, len(sent))
            await assert_exact(where, sent)
            zombie.send(signal.SIGCONT)
            more = [*mixed(0, 2000, rounds=4), *mixed(1, 3000, rounds=4)]
            await send(where.settings, more)
            await until_applied(where, len(sent) + len(more))
            await zombie.says("partitions_assigned", times=2)
            await assert_exact(where, sent + more)
            assert [worker.child.exit_status() for worker in (zombie, heir)] == [None, None]


async def test_two_owners_of_one_partition_count_each_record_once(servers: Servers, tmp_path: Path) -> None:
    """Two groups by mistake: one is overtaken while its plan is made, then both race for the checkpoint."""
    async with place(servers, partitions=1, max_flush_records=7, max_dead_ratio=1) as where:
        await declare(where)
        sent = mixed(0, 10, rounds=20)
        first, rest = sent[:70], sent[70:]
        with workers(tmp_path, where.settings) as started:
            slow = started.start_crashing("plan", number=signal.SIGSTOP)
            quick = started.start(kafka__group=f"{where.settings.kafka.group}-by-mistake")
            for worker in (slow, quick):
                await worker.says("partitions_assigned")
            await send(where.settings, first)
            await slow.frozen()
            await until_applied(where, len(first))
            slow.send(signal.SIGCONT)
            await slow.says("partition_overtaken")
            for start in range(0, len(rest), 20):
                await send(where.settings, rest[start : start + 20])
            await until_applied(where, len(sent))
            await asyncio.sleep(0.5)
            await assert_exact(where, sent)


async def test_one_player_in_two_partitions_counts_each_id_once(servers: Servers, tmp_path: Path) -> None:
    """Two workers write the same documents at the same time; one of two equal ids is the duplicate, whichever."""
    async with place(servers, partitions=2, max_flush_records=20) as where:
        sent = [counting(partition, number, count=2) for number in range(10, 310) for partition in (0, 1)]
        with workers(tmp_path, where.settings) as started:
            both = [started.start(), started.start()]
            for partitions in ("[0]", "[1]"):
                waiting = [asyncio.create_task(worker.says(f'"partitions": {partitions}')) for worker in both]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in waiting:
                    task.cancel()
            await send(where.settings, sent)
            await until_applied(where, len(sent))
            await assert_exact(where, sent)
            applied = [found["fates"]["applied"] for found in (await checkpoints(where)).values()]
            assert sum(applied) == 300
