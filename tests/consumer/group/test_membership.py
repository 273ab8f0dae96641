"""Which partitions a member keeps while it is expelled and joins again, with a scripted coordinator."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import MemberIdRequired, NotCoordinatorForGroupError, UnknownMemberIdError
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest, SyncGroupRequest

from consumer.core.sharing import Claim
from consumer.group import membership
from consumer.group.membership import HEARTBEAT_SECONDS, PARTITIONS_SECONDS, GroupMember
from consumer.group.predecessors import Process, own_process
from consumer.group.wire import NO_MEMBER, Group, join_request
from serving.outage import Outage

GROUP = Group("group", "topic", 6_000, 5_000)
SHARE = frozenset({0, 1, 2})


class OneBroker:
    """The coordinator of a group of one member, which gets what the leader assigns. It can forget the member."""

    def __init__(self) -> None:
        self.joins: list[Any] = []
        self.knows = True
        self.has_moved = self.requires_id = False
        self.forgotten = self.counted = 0

    def forget(self) -> None:
        self.forgotten += 1

    async def ask(self, request: Any, *_: object) -> Any:  # noqa: ANN401 aiokafka's
        if isinstance(request, HeartbeatRequest):
            if self.has_moved:
                return SimpleNamespace(error_code=NotCoordinatorForGroupError.errno)
            return SimpleNamespace(error_code=0 if self.knows else UnknownMemberIdError.errno)
        if isinstance(request, JoinGroupRequest):
            if self.requires_id and request._member_id == NO_MEMBER:
                return SimpleNamespace(error_code=MemberIdRequired.errno, member_id="given")
            self.joins.append(request)
            self.knows, (_, metadata) = True, request._group_protocols[0]
            generation, member = len(self.joins), f"member-{len(self.joins)}"
            rows = [(member, None, metadata)]
            return SimpleNamespace(
                error_code=0, generation_id=generation, member_id=member, leader_id=member, members=rows
            )
        assert isinstance(request, SyncGroupRequest)
        ((_, share),) = request._group_assignment
        return SimpleNamespace(error_code=0, member_assignment=share)

    async def partitions(self) -> int:
        self.counted += 1
        return len(SHARE)

    def claimed(self, generation: int, partitions: frozenset[int]) -> bool:
        """Whether the last one to join claimed this."""
        expected: Any = join_request(GROUP, "", Claim(generation, partitions))
        return bool(expected._group_protocols == self.joins[-1]._group_protocols)


class Time:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(membership, "time", made)
    return made


async def member_of(broker: OneBroker, given: list[frozenset[int]], process: Process | None = None) -> GroupMember:
    """One that has its share."""

    async def no_client() -> Any:  # noqa: ANN401 aiokafka has no types
        raise AssertionError

    member = GroupMember(no_client, GROUP, Outage("kafka"), process)
    member._coordinator = broker  # type: ignore[assignment]  # stands in for it
    member._given = given.append
    assert HEARTBEAT_SECONDS == await member._turn()
    assert [SHARE] == given
    return member


async def expelled(member: GroupMember, broker: OneBroker) -> None:
    """Hears so, and joins again."""
    broker.knows = False
    assert 0 == await member._turn()
    assert not member.is_member
    await member._turn()
    assert member.is_member


async def test_one_that_is_expelled_within_its_session_joins_again_with_what_it_holds(time: Time) -> None:
    """No other member has its partitions. The time of the last answer counts, not that of the join."""
    broker, given = OneBroker(), list[frozenset[int]]()
    member = await member_of(broker, given)
    time.seconds += 5
    await member._turn()
    time.seconds += 5
    await expelled(member, broker)
    assert [SHARE, SHARE] == given
    assert broker.claimed(1, SHARE)


async def test_one_that_is_expelled_after_its_session_gives_everything_up_first(time: Time) -> None:
    """Others have it by then, so it claims nothing."""
    broker, given = OneBroker(), list[frozenset[int]]()
    member = await member_of(broker, given)
    time.seconds += 7
    await expelled(member, broker)
    assert [SHARE, frozenset(), SHARE] == given
    assert broker.claimed(-1, frozenset())


async def test_a_coordinator_that_has_moved_is_searched_again(time: Time) -> None:
    """Until it is found the member does not count as one, and keeps its partitions."""
    broker, given = OneBroker(), list[frozenset[int]]()
    member = await member_of(broker, given)
    for has_moved in (True, False):
        broker.has_moved = has_moved
        time.seconds += 1
        await member._turn()
        assert has_moved != member.is_member
    assert 1 == broker.forgotten
    assert [SHARE] == given


async def test_the_leader_counts_the_partitions_now_and_then(time: Time) -> None:
    broker = OneBroker()
    member = await member_of(broker, [])
    assert 1 == broker.counted
    time.seconds += PARTITIONS_SECONDS
    await member._turn()
    assert 1 == broker.counted
    time.seconds += 0.1
    await member._turn()
    assert 2 == broker.counted


async def test_dead_members_are_removed_once(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two containers that take each other for dead would remove each other for ever."""
    removals: list[str] = []

    async def remove(_coordinator: object, _group: Group, member: str, _process: Process) -> None:
        removals.append(member)

    monkeypatch.setattr(membership, "remove_dead_members", remove)
    broker = OneBroker()
    broker.requires_id = True
    member = await member_of(broker, [], own_process())
    time.seconds += 1
    await expelled(member, broker)
    await asyncio.sleep(0)
    assert ["given"] == removals
