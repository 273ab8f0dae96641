"""Which partitions a member keeps while it is expelled and joins again, with a scripted coordinator."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import UnknownMemberIdError
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest, SyncGroupRequest

from consumer.core.sharing import Claim
from consumer.group import membership
from consumer.group.membership import HEARTBEAT_SECONDS, GroupMember
from consumer.group.wire import Group, join_request
from serving.outage import Outage

GROUP = Group("group", "topic", 6_000, 5_000)
SHARE = frozenset({0, 1, 2})


class OneBroker:
    """The coordinator of a group of one member, which gets what the leader assigns. It can forget the member."""

    def __init__(self) -> None:
        self.joins: list[Any] = []
        self.knows = True

    async def ask(self, request: Any, *_: object) -> Any:  # noqa: ANN401 aiokafka's
        if isinstance(request, HeartbeatRequest):
            return SimpleNamespace(error_code=0 if self.knows else UnknownMemberIdError.errno)
        if isinstance(request, JoinGroupRequest):
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


async def member_of(broker: OneBroker, given: list[frozenset[int]]) -> GroupMember:
    """One that has its share."""

    async def no_client() -> Any:  # noqa: ANN401 aiokafka has no types
        raise AssertionError

    member = GroupMember(no_client, GROUP, Outage("kafka"))
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
