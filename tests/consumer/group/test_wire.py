"""What other programs send when they join the group. Any program may: Kafka does not look into it."""

import struct
from types import SimpleNamespace

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata

from consumer.core.sharing import Claim, share_out
from consumer.group.wire import Group, join_request, joined

TOPIC = "topic"
OURS = join_request(Group("group", TOPIC, 6_000, 5_000), "", Claim(7, frozenset({1})))._group_protocols[0][1]


def metadata(user_data: bytes | None, topics: list[str] | None = None) -> bytes:
    return bytes(ConsumerProtocolMemberMetadata(0, [TOPIC] if topics is None else topics, user_data).encode())


def claims_beside(other: bytes) -> dict[str, Claim]:
    """Of a worker, and of another member that sent this."""
    members = [("worker", None, OURS), ("other", None, other)]
    answer = SimpleNamespace(error_code=0, generation_id=8, member_id="worker", leader_id="worker", members=members)
    return dict(joined(answer, TOPIC).claims)


@pytest.mark.parametrize(
    "other",
    [
        b"",
        b"\x00",
        b"\xff" * 50,
        struct.pack(">hi", 0, 2**31 - 1),
        struct.pack(">hii", 0, -1, -1),
        struct.pack(">hih", 0, 1, 2) + b"\xff\xfe" + struct.pack(">i", -1),
        metadata(None, []),
        metadata(None, ["another"]),
    ],
)
def test_a_member_that_does_not_subscribe_to_the_topic_owns_nothing(other: bytes) -> None:
    """Nobody would read its partitions. Nor does it keep the workers from sharing them."""
    claims = claims_beside(other)
    assert {"worker": Claim(7, frozenset({1}))} == claims
    assert {"worker": frozenset({0, 1, 2})} == share_out(claims, 3)


@pytest.mark.parametrize(
    "user_data",
    [
        None,
        b"\xff",
        b"[]",
        b'{"generation": "7", "partitions": [0]}',
        b'{"generation": 7, "partitions": [1e99]}',
        b'{"generation": 7}',
        b'{"x":' + b"[" * 200_000,
    ],
)
def test_a_subscriber_with_any_user_data_claims_nothing(user_data: bytes | None) -> None:
    """A worker of an older version sends none."""
    assert Claim() == claims_beside(metadata(user_data))["other"]


def test_claims_of_partitions_that_do_not_exist_are_ignored() -> None:
    claims = claims_beside(metadata(b'{"generation": 99999999999999999999, "partitions": [-1, 0, 99999999999999]}'))
    assert {"worker": frozenset({1}), "other": frozenset({0})} == share_out(claims, 2)
