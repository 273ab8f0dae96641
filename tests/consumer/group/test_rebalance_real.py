"""What the others of a group notice when a worker falls silent, or is killed and started again: nothing."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient

from consumer.group.membership import GroupMember
from consumer.group.wire import Group
from serving.outage import Outage
from tests.consumer.processes import WorkerProcess, workers
from tests.consumer.sums import Sent, assert_exact, checkpoints, counting, declare, send_with, until_applied
from tests.consumer.waiting import until
from tests.kafka.admin import admin_of
from tests.real import Place, place
from tests.servers import Servers

PARTITIONS = 4
LOOK_SECONDS = 0.05
# Longer than the test.
FOR_EVER_MILLIS = 600_000
# By then a worker has heard that the group forms, with its heartbeats of a second, and has joined again.
HEARD_SECONDS = 4


@dataclass(slots=True)
class Load:
    """One record into each partition, again and again, until stopped between two rounds: `sent` is what Kafka has."""

    sent: list[Sent] = field(default_factory=list)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, where: Place) -> None:
        servers, topic = where.settings.kafka.bootstrap_servers, where.settings.kafka.records_topic
        async with AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True) as producer:
            for number in count(1):
                # A player's records come into one partition, as its key would have it.
                one_each = [counting(p, number * PARTITIONS + p, player=f"p{p}") for p in range(PARTITIONS)]
                await send_with(producer, topic, one_each)
                self.sent += one_each
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.stopping.wait(), LOOK_SECONDS)
                    return


@asynccontextmanager
async def under_load(where: Place) -> AsyncIterator[None]:
    """All of it is counted in the end, once."""
    load = Load()
    task = asyncio.create_task(load.run(where))
    try:
        yield
    finally:
        load.stopping.set()
        await task
    await until_applied(where, len(load.sent))
    await assert_exact(where, load.sent)


async def positions(where: Place) -> dict[int, int]:
    """Of the topic that is read: checkpoints of the other one have no owner."""
    found = (await checkpoints(where)).items()
    return {int(key.rpartition("/")[2]): one["next"] for key, one in found if "owner" in one}


async def owned_by(where: Place, worker: WorkerProcess) -> list[int]:
    found = (await checkpoints(where)).items()
    return [int(key[-2:]) for key, one in found if one.get("owner", "").endswith(f":{worker.child.pid}")]


async def until_owners(where: Place, *some: WorkerProcess) -> None:
    """Until these hold all partitions, evenly."""
    share = PARTITIONS // len(some)

    async def are_even() -> bool:
        return all([len(await owned_by(where, worker)) == share for worker in some])

    await until(are_even, "even shares")


async def state_of(where: Place, admin: AIOKafkaAdminClient) -> str:
    (answer,) = await admin.describe_consumer_groups([where.settings.kafka.group])
    return str(answer.groups[0][2])


@asynccontextmanager
async def silent_member(where: Place) -> AsyncIterator[GroupMember]:
    """A member with partitions that sends nothing more, and for which the coordinator waits: as of a frozen worker."""
    kafka, shares = where.settings.kafka, list[frozenset[int]]()
    group = Group(kafka.group, kafka.records_topic, FOR_EVER_MILLIS, FOR_EVER_MILLIS)

    async def new_client() -> AIOKafkaClient:
        return AIOKafkaClient(bootstrap_servers=kafka.bootstrap_servers)

    member = GroupMember(new_client, group, Outage("kafka"))
    member.start(shares.append)

    async def has_half() -> bool:
        return bool(shares) and len(shares[-1]) == PARTITIONS // 2

    try:
        await until(has_half, "a share of a half")
        assert member._task
        member._task.cancel()
        yield member
    finally:
        await member.stop()


async def test_living_workers_go_on_while_the_group_waits_for_one_that_is_silent(
    servers: Servers, tmp_path: Path
) -> None:
    """The group forms for a third, and can't: what the living one has is flushed all along."""
    async with place(servers, partitions=PARTITIONS) as where, admin_of(servers.kafka) as admin:
        await declare(where)
        with workers(tmp_path, where.settings) as started:
            living = started.start()
            await living.says("partitions_assigned")
            async with under_load(where):
                async with silent_member(where):

                    async def gave_half() -> bool:
                        return len(last_share(living)) == PARTITIONS // 2

                    await until(gave_half, "the other half")
                    own = set(last_share(living))
                    third = started.start()

                    async def is_forming() -> bool:
                        return await state_of(where, admin) == "PreparingRebalance"

                    await until(is_forming, "a group that forms")
                    await asyncio.sleep(HEARD_SECONDS)
                    before = await positions(where)

                    async def all_moved() -> bool:
                        now = await positions(where)
                        return all(now[partition] > before[partition] for partition in own)

                    await until(all_moved, "flushes")
                    assert await is_forming()
                await until_owners(where, living, third)
                assert own == set(last_share(living))


def last_share(worker: WorkerProcess) -> list[int]:
    given = [line for line in worker.said().splitlines() if "partitions_assigned" in line]
    return list(json.loads(given[-1])["partitions"])


async def test_one_that_is_killed_and_started_again_moves_nobody_elses_partitions(
    servers: Servers, tmp_path: Path
) -> None:
    """It leaves the group for its predecessor, and is given what that one had."""
    async with place(servers, partitions=PARTITIONS) as where:
        await declare(where)
        with workers(tmp_path, where.settings) as started:
            living, killed = (started.start(worker__session_timeout_seconds=60) for _ in range(2))
            async with under_load(where):
                await until_owners(where, living, killed)
                own, said = await owned_by(where, living), len(living.said())
                killed.send(signal.SIGKILL)
                await killed.exited()
                again = started.start(worker__session_timeout_seconds=60)
                await until_owners(where, living, again)
                assert own == await owned_by(where, living)
            assert "dead_member_removed" in again.said()
            given = [line for line in living.said()[said:].splitlines() if "partitions_assigned" in line]
            assert all('"new": [], "lost": []' in line for line in given)
