"""What the observer reads of Kafka's answers."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from console.observer.kafka import lagging
from console.observer.requests import (
    batch_millis,
    described,
    fetch_request,
    offsets_of,
    owned_of,
    times_of,
)

LOG_APPEND_TIME = 0x08


def batch(base: int, times: list[int], appended: int | None = None) -> bytes:
    """A batch of Kafka's. `appended`: the broker's own time, which replaces the records' times."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1_000_000)
    for offset, at in enumerate(times):
        builder.append(offset, timestamp=at, key=None, value=b"x", headers=[])
    built = bytearray(builder.build())
    built[0:8] = base.to_bytes(8, "big")
    if appended is not None:
        built[22] |= LOG_APPEND_TIME
        built[35:43] = appended.to_bytes(8, "big")
    return bytes(built)


def test_the_time_of_a_record_is_that_of_its_batch() -> None:
    """The broker's, if the topic has LogAppendTime. A fetch may begin with a batch that ends before the offset."""
    log = batch(10, [100, 200], appended=900) + batch(12, [300, 400], appended=950) + batch(14, [500, 600])
    assert [900, 900, 950, 950, 500, None] == [batch_millis(log, offset) for offset in (10, 11, 12, 13, 14, 16)]


@pytest.mark.parametrize("kept", [0, 1, 42])
def test_a_part_of_a_batch_has_no_time(kept: int) -> None:
    """A broker may send one, where the partition has more than fits."""
    assert batch_millis(batch(0, [1])[:kept], 0) is None


def answer(*topics: Any) -> Any:  # noqa: ANN401 an answer of Kafka's
    return SimpleNamespace(topics=topics, groups=topics, cluster_id="c")


def test_partitions_that_a_broker_can_not_answer_for_are_unknown() -> None:
    """It may have lost them to another broker a moment ago."""
    not_leader = 6
    assert {("t", 0): 7} == offsets_of(answer(("t", [(0, 0, -1, 7), (1, not_leader, -1, -1)])))
    fetched = answer(("t", [(0, 0, 9, 9, 0, None, batch(3, [50])), (1, not_leader, 0, 0, 0, None, b"")]))
    assert {("t", 0): 50} == times_of(fetched, {("t", 0): 3, ("t", 1): 3})
    assert {} == times_of(answer(("t", [(0, 0, 9, 9, 0, None, None)])), {("t", 0): 3})


def test_a_topic_without_an_answer_does_not_exist_and_another_error_is_raised() -> None:
    """A topic that may not be seen is not a missing one: nothing must be said that is not known."""
    partitions: list[Any] = [(0, 0, 5, 1, [1], [1], [], {}), (5, 1, -1, 1, [1], [], [1], {})]
    (found,) = described(answer((0, "t", "id", False, partitions), (3, "gone", "", False, [])))
    assert ("t", "id", {0: 5, 1: None}) == (found.topic, found.topic_id, found.leaders)
    with pytest.raises(TopicAuthorizationFailedError):
        described(answer((29, "t", "", False, [])))


def test_the_owned_partitions_are_those_that_members_have() -> None:
    """A member that waits for its share has none."""
    share = ConsumerProtocolMemberAssignment(0, [("t", [0, 3]), ("another", [7])], b"").encode()
    members = [("m1", "c", "h", b"", share), ("m2", "c", "h", b"", b"")]
    assert frozenset({0, 3}) == owned_of(answer((0, "g", "Stable", "consumer", "p", members)), "t")
    assert frozenset() == owned_of(answer((0, "g", "Empty", "", "", [])), "t")
    with pytest.raises(GroupAuthorizationFailedError):
        owned_of(answer((30, "g", "", "", "", [])), "t")


def test_only_partitions_that_lag_are_asked_for() -> None:
    """At the checkpoint, or at the first record if that is later. Without MongoDB none is known to lag."""
    bounds = {("t", 0): (0, 9), ("t", 1): (5, 9), ("t", 2): (5, 9), ("t", 3): (9, 9), ("u", 0): (0, 9)}
    assert {("t", 1): 5, ("t", 2): 5} == lagging(bounds, {"t": {0: 9, 1: 2}})
    assert {} == lagging(bounds, {})


def test_a_fetch_asks_each_topic_once_and_waits_for_nothing() -> None:
    request = fetch_request({("t", 0): 4, ("u", 1): 5, ("t", 2): 6}, 100, 1_000)
    assert [("t", [(0, 4, 100), (2, 6, 100)]), ("u", [(1, 5, 100)])] == request.topics
    assert (0, 0, 1_000) == (request._max_wait_ms, request._min_bytes, request._max_bytes)
