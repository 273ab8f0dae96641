"""Members of a group on a real broker: they read nothing, so that all of this is seconds."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import AsyncMock

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.api import Response
from structlog.testing import capture_logs

from consumer.group.membership import HEARTBEAT_SECONDS, REBALANCE_SECONDS, GroupMember
from consumer.group.predecessors import Process, own_process
from consumer.group.wire import NO_MEMBER, Group
from consumer.ports import Unavailable
from serving.outage import Outage
from tests.consumer.parts import eventually
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place
from tests.servers import Servers

SESSION_MILLIS = 6_000
REBALANCE_MILLIS = int(REBALANCE_SECONDS * 1000)

# What a group would wait for a dead member: longer than any machine takes without it.
WAITS_MILLIS = 180_000


class Member:
    """A member and its assignments, in order."""

    def __init__(self, where: Place, process: Process | None = None, waits_millis: int = 0) -> None:
        kafka = where.settings.kafka
        waits = (waits_millis or SESSION_MILLIS, waits_millis or REBALANCE_MILLIS)
        group = Group(kafka.group, kafka.records_topic, *waits)
        self.shares: list[frozenset[int]] = []
        client_id = process.client_id() if process else "test"

        async def new_client() -> AIOKafkaClient:
            return AIOKafkaClient(bootstrap_servers=kafka.bootstrap_servers, client_id=client_id)

        self.membership = GroupMember(new_client, group, Outage("kafka"), process)
        self.membership.start(self.shares.append)

    @property
    def holds(self) -> frozenset[int]:
        return self.shares[-1] if self.shares else frozenset()

    async def die(self) -> None:
        """As with SIGKILL: it does not leave the group."""
        task = self.membership._task
        assert task
        task.cancel()
        await asyncio.wait((task,))
        await self.membership._coordinator.close()


@asynccontextmanager
async def members(where: Place, count: int, waits_millis: int = 0) -> AsyncIterator[list[Member]]:
    """So many, each with its share; a test may append more. All leave at the end."""
    started = [Member(where, waits_millis=waits_millis) for _ in range(count)]
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
    """Not for a moment: the others are assigned only what they have."""
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
    """Its successor knows that the process is dead, and leaves the group for it. The others are alive."""
    own = own_process()
    predecessor = replace(own, started="1")
    async with place(servers, partitions=6) as where, members(where, 2, WAITS_MILLIS) as group:
        dead = Member(where, predecessor, WAITS_MILLIS)
        group.append(dead)
        await until_shared(where, group)
        group.remove(dead)
        await dead.die()
        group.append(Member(where, own, WAITS_MILLIS))
        await until_shared(where, group, WAITS_MILLIS / 2_000)
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
            await eventually(lambda: "dead_member_removed" in [line["event"] for line in said])
        await until_shared(where, group)
        await asyncio.sleep(2 * HEARTBEAT_SECONDS)
        await until_shared(where, group)
        assert all(len(share) >= 3 for share in group[0].shares)


async def test_workers_of_before_share_the_group(servers: Servers) -> None:
    """A new version is rolled out: whichever leads, the shares are whole; and the last of them are even again."""
    async with place(servers, partitions=6) as where:
        kafka = where.settings.kafka
        before = AIOKafkaConsumer(
            kafka.records_topic,
            bootstrap_servers=kafka.bootstrap_servers,
            group_id=kafka.group,
            enable_auto_commit=False,
            session_timeout_ms=SESSION_MILLIS,
            heartbeat_interval_ms=1_000,
        )
        await before.start()
        async with members(where, 0) as group:
            group += [Member(where), Member(where)]

            def are_shared() -> bool:
                held = [one.partition for one in before.assignment()]
                return len(held) == 2 and sorted([*held, *group[0].holds, *group[1].holds]) == list(range(6))

            await eventually(are_shared)
            held = [member.holds for member in group]
            await before.stop()
            await until_shared(where, group)
            assert all(member.holds > some for member, some in zip(group, held, strict=True))


async def test_one_that_slept_past_its_session_gives_everything_up_before_it_joins_again(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its partitions are others' by then."""
    async with place(servers, partitions=6) as where, members(where, 2) as group:
        slept, other = group
        before, wakes = slept.holds, asyncio.Event()
        ask = slept.membership._coordinator.ask

        async def sleep_first(*args: Any) -> Response:  # noqa: ANN401 as it is asked
            await wakes.wait()
            return await ask(*args)

        monkeypatch.setattr(slept.membership._coordinator, "ask", sleep_first)
        await until_shared(where, [other])
        wakes.set()
        await until_shared(where, group)
        assert [before, frozenset()] == slept.shares[-3:-1]


async def test_what_nobody_foresaw_does_not_end_a_membership(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """It joins again with another id and logs that. It keeps its partitions."""
    monkeypatch.setattr("consumer.group.membership.REBALANCE_SECONDS", 0.1)
    async with place(servers, partitions=6) as where, members(where, 2) as group:
        member = group[0]
        first, before = member.membership._member, member.holds
        with capture_logs() as said, monkeypatch.context() as patch:
            patch.setattr(member.membership, "_stay", AsyncMock(side_effect=ValueError("a bug")))
            await eventually(lambda: member.membership._member == NO_MEMBER)
        await eventually(lambda: member.membership.is_member)
        assert first != member.membership._member
        assert before == member.holds
        assert "membership_failed" == said[0]["event"]


async def test_partitions_that_are_added_are_shared_out(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The leader counts them now and then."""
    monkeypatch.setattr("consumer.group.membership.PARTITIONS_SECONDS", 0.1)
    async with place(servers, partitions=4) as where, members(where, 2) as group:
        before = [member.holds for member in group]
        admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
        await admin.start()
        await admin.create_partitions({where.settings.kafka.records_topic: NewPartitions(6)})
        await admin.close()
        await eventually(lambda: sorted(one for member in group for one in member.holds) == list(range(6)))
        assert all(member.holds > held for member, held in zip(group, before, strict=True))


async def test_the_groups_offsets_are_written_and_a_stranger_may_not(servers: Servers) -> None:
    """Lag tools read them. A client that is no member gets tallymill's own error."""
    async with place(servers, partitions=2) as where, members(where, 1) as group:
        await group[0].membership.commit({0: 7})
        admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
        await admin.start()
        found = await admin.list_consumer_group_offsets(where.settings.kafka.group)
        await admin.close()
        assert [7] == [one.offset for one in found.values()]
        group[0].membership._member = "nobody"
        with pytest.raises(Unavailable):
            await group[0].membership.commit({0: 8})
