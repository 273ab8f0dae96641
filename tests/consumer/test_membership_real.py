"""Members of a group on a real broker: they read nothing, so that all of this is seconds."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from aiokafka.client import AIOKafkaClient
from structlog.testing import capture_logs

from consumer.group_wire import Group
from consumer.membership import HEARTBEAT_SECONDS, REBALANCE_SECONDS, GroupMember
from consumer.predecessors import Process, own_process
from tests.consumer.parts import eventually
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place
from tests.servers import Servers

SESSION_MILLIS = 6_000


class Member:
    """A member and what it was given, in order."""

    def __init__(self, where: Place, process: Process | None = None) -> None:
        kafka = where.settings.kafka
        group = Group(kafka.group, kafka.records_topic, SESSION_MILLIS, int(REBALANCE_SECONDS * 1000))
        self.shares: list[frozenset[int]] = []
        client_id = process.client_id() if process else "test"

        def new_client() -> AIOKafkaClient:
            return AIOKafkaClient(bootstrap_servers=kafka.bootstrap_servers, client_id=client_id)

        self.membership = GroupMember(new_client, group, process)
        self.membership.start(self.shares.append)

    @property
    def holds(self) -> frozenset[int]:
        return self.shares[-1] if self.shares else frozenset()

    async def die(self) -> None:
        """As with SIGKILL: nobody is told."""
        task = self.membership._task
        assert task
        task.cancel()
        await asyncio.wait((task,))
        await self.membership._coordinator.close()


@asynccontextmanager
async def members(where: Place, count: int) -> AsyncIterator[list[Member]]:
    """So many, each with its share; a test may append more. All leave at the end."""
    started = [Member(where) for _ in range(count)]
    try:
        if started:
            await until_shared(where, started)
        yield started
    finally:
        for member in started:
            await member.membership.stop()


async def until_shared(where: Place, some: list[Member], seconds: float = PATIENCE_SECONDS) -> None:
    """Until these members alone have all partitions, evenly."""
    partitions = list(range(where.settings.kafka.partitions))
    give_up = time.monotonic() + seconds
    while not (
        sorted(one for member in some for one in member.holds) == partitions
        and max(len(one.holds) for one in some) - min(len(one.holds) for one in some) <= 1
    ):
        assert time.monotonic() < give_up, [sorted(member.holds) for member in some]
        await asyncio.sleep(0.02)


async def test_a_new_member_takes_a_fair_share_and_nothing_else_moves(servers: Servers) -> None:
    """Six partitions of two, then of three."""
    async with place(servers, partitions=6) as where, members(where, 2) as group:
        before = [member.holds for member in group]
        group.append(Member(where))
        await until_shared(where, group)
        assert all(member.holds < held for member, held in zip(group, before, strict=False))


async def test_one_that_leaves_gives_its_share_away_at_once(servers: Servers) -> None:
    """No session need run out."""
    async with place(servers, partitions=6) as where, members(where, 3) as group:
        left = group.pop(0)
        before = [member.holds for member in group]
        await left.membership.stop()
        await until_shared(where, group)
        assert all(member.holds > held for member, held in zip(group, before, strict=True))


async def test_one_that_dies_and_is_started_again_costs_nobody_a_partition(servers: Servers) -> None:
    """Not for a moment: nobody else is given anything but what it holds."""
    async with place(servers, partitions=6) as where, members(where, 3) as group:
        dead = group.pop(0)
        before = [member.holds for member in group]
        for member in group:
            del member.shares[:-1]
        await dead.die()
        group.append(Member(where))
        await until_shared(where, group)
        assert [{held} for held in before] == [set(member.shares) for member in group[:2]]
        assert dead.holds == group[2].holds


async def test_the_group_need_not_wait_for_a_dead_predecessor(servers: Servers) -> None:
    """The one that is started for it knows its process to be dead, and leaves on its behalf. The others are alive."""
    own = own_process()
    predecessor = replace(own, started="1")
    async with place(servers, partitions=6) as where, members(where, 2) as group:
        dead = Member(where, predecessor)
        group.append(dead)
        await until_shared(where, group)
        group.remove(dead)
        await dead.die()
        began = time.monotonic()
        group.append(Member(where, own))
        await until_shared(where, group)
        assert time.monotonic() - began < REBALANCE_SECONDS
        assert dead.holds == group[-1].holds


async def test_one_that_is_expelled_by_mistake_joins_again_with_what_it_holds(servers: Servers) -> None:
    """Another container of the same name takes it for its predecessor: nothing is given up."""
    own = own_process()
    namesake = replace(own, namespace="1")
    async with place(servers, partitions=6) as where, members(where, 0) as group:
        group.append(Member(where, namesake))
        await until_shared(where, group)
        with capture_logs() as said:
            group.append(Member(where, own))
            await eventually(lambda: "dead member removed" in [line["event"] for line in said])
        await until_shared(where, group)
        await asyncio.sleep(2 * HEARTBEAT_SECONDS)
        await until_shared(where, group)
        assert all(len(share) >= 3 for share in group[0].shares)
