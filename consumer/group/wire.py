"""The requests of a member to the coordinator, and its answers: Kafka's classic group protocol, in our own types.

Each member sends its partitions, and the generation that gave them, as the user data of its subscription. Workers of an
older version know one assignor, `roundrobin`. Both names are offered, so that old and new workers share a group during
an upgrade, and all understand the shares, whichever worker leads.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.errors import MemberIdRequired, for_code
from aiokafka.protocol.admin import DescribeGroupsRequest
from aiokafka.protocol.api import Response
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest

from consumer.core.sharing import Claim

PROTOCOLS = ("tallymill", "roundrobin")
NO_MEMBER = ""


class _UserData(msgspec.Struct, frozen=True):
    """A Claim as JSON, because Kafka's tools print it."""

    generation: int
    partitions: frozenset[int]


@dataclass(frozen=True, slots=True)
class Group:
    """The group of one topic, and how long the coordinator waits for a member."""

    name: str
    topic: str
    session_millis: int
    rebalance_millis: int


@dataclass(frozen=True, slots=True)
class Joined:
    """A generation of the group. Only the leader knows the claims of all members that read the topic."""

    generation: int
    member: str
    claims: Mapping[str, Claim]


@dataclass(frozen=True, slots=True)
class DescribedMember:
    """A member as the coordinator describes it."""

    member: str
    client_id: str


def join_request(group: Group, member: str, claim: Claim) -> JoinGroupRequest:
    user_data = msgspec.json.encode(_UserData(claim.generation, claim.partitions))
    metadata = ConsumerProtocolMemberMetadata(0, [group.topic], user_data).encode()
    offered = [(name, metadata) for name in PROTOCOLS]
    return JoinGroupRequest(group.name, group.session_millis, group.rebalance_millis, member, None, "consumer", offered)


def given_member_id(answer: Response) -> str | None:
    """The id to join with, if the coordinator requires one first (KIP-394)."""
    return str(answer.member_id) if for_code(answer.error_code) is MemberIdRequired else None


def joined(answer: Response, topic: str) -> Joined:
    """Raises KafkaError."""
    raise_error(answer.error_code)
    members = answer.members if answer.leader_id == answer.member_id else ()
    claims = {row[0]: _claim(row[-1]) for row in members if _reads(row[-1], topic)}
    return Joined(answer.generation_id, answer.member_id, claims)


def _reads(metadata: bytes, topic: str) -> bool:
    """Whether a member subscribes to the topic. Any other program that joins the group owns no partition."""
    try:
        return topic in ConsumerProtocolMemberMetadata.decode(metadata).subscription
    except (ValueError, TypeError):  # not a consumer's metadata; no subscription at all
        return False


def _claim(metadata: bytes) -> Claim:
    """The partitions that a member says it has. A worker of an older version says nothing."""
    user_data = ConsumerProtocolMemberMetadata.decode(metadata).user_data
    try:
        found = msgspec.json.decode(user_data or b"", type=_UserData)
    except (msgspec.DecodeError, RecursionError):
        return Claim()
    return Claim(found.generation, found.partitions)


def sync_request(group: Group, now: Joined, shares: Mapping[str, frozenset[int]]) -> SyncGroupRequest:
    rows = [
        (member, ConsumerProtocolMemberAssignment(0, [(group.topic, sorted(share))], b"").encode())
        for member, share in shares.items()
    ]
    return SyncGroupRequest(group.name, now.generation, now.member, None, rows)


def share_of(answer: Response, topic: str) -> frozenset[int]:
    """The partitions that the leader gave. Raises KafkaError."""
    raise_error(answer.error_code)
    if not answer.member_assignment:
        return frozenset()
    assignment = ConsumerProtocolMemberAssignment.decode(answer.member_assignment)
    return frozenset(one.partition for one in assignment.partitions() if one.topic == topic)


def heartbeat_request(group: Group, generation: int, member: str) -> HeartbeatRequest:
    return HeartbeatRequest(group.name, generation, member)


def leave_request(group: Group, member: str) -> LeaveGroupRequest:
    return LeaveGroupRequest(group.name, member)


def commit_request(group: Group, generation: int, member: str, positions: Mapping[int, int]) -> OffsetCommitRequest:
    rows = [(partition, offset, "") for partition, offset in positions.items()]
    return OffsetCommitRequest(
        group.name, generation, member, OffsetCommitRequest.DEFAULT_RETENTION_TIME, [(group.topic, rows)]
    )


def raise_commit_errors(answer: Response) -> None:
    """Raises the first KafkaError."""
    for _, partitions in answer.topics:
        for _, code in partitions:
            raise_error(code)


def describe_request(group: Group) -> DescribeGroupsRequest:
    return DescribeGroupsRequest([group.name])


def members_of(answer: Response) -> list[DescribedMember]:
    """Raises KafkaError."""
    (found,) = answer.groups
    raise_error(found[0])
    return [DescribedMember(row[0], row[1]) for row in found[5]]


def raise_error(code: int) -> None:
    """Raises the KafkaError of this code; nothing for 0."""
    if code:
        raise for_code(code)
