"""The requests that the observer sends to Kafka, and its answers in our own types.

A fetch of one batch shows when the oldest uncounted record was accepted. Only the header of the batch is read: its
records are never unpacked. With LogAppendTime all records of a batch have the time of the header.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.api import Response
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest

Partition = tuple[str, int]
"""Topic and number."""

BEGIN, END = -2, -1
_READ_COMMITTED = 1
_CONSUMER = -1

# Base offset, length, leader epoch, magic, CRC, attributes, last offset's delta, first and largest timestamp
# (Kafka's protocol guide, "Record Batch").
_BATCH = struct.Struct(">qiibIhiqq")
_BEFORE_LENGTH = 12
_LOG_APPEND_TIME = 0x08


@dataclass(frozen=True, slots=True)
class Described:
    """One topic in the metadata. `leaders` is by partition; None: the partition has none now."""

    topic: str
    topic_id: str
    leaders: Mapping[int, int | None]


def described(answer: Response) -> list[Described]:
    """The topics that exist. Raises KafkaError."""
    found = []
    for error, name, topic_id, _, partitions, *_ in answer.topics:
        if not error:
            leaders = {number: leader if leader >= 0 else None for _, number, leader, *_ in partitions}
            found.append(Described(name, topic_id, leaders))
        elif for_code(error) is not UnknownTopicOrPartitionError:
            raise for_code(error)
    return found


def offsets_request(partitions: Iterable[Partition], at: int) -> OffsetRequest:
    """`at`: BEGIN or END, the end without open transactions."""
    return OffsetRequest(_CONSUMER, _READ_COMMITTED, _by_topic(partitions, lambda _: (at,)))


def offsets_of(answer: Response) -> dict[Partition, int]:
    """Without partitions that the broker could not answer for, such as one that it no longer leads."""
    return {
        (topic, number): offset
        for topic, partitions in answer.topics
        for number, error, _, offset in partitions
        if not error
    }


def fetch_request(offsets: Mapping[Partition, int], partition_bytes: int, most_bytes: int) -> FetchRequest:
    """What there is from these offsets on, at once. The first batch of the answer comes whole, whatever its size."""
    return FetchRequest(0, 0, most_bytes, _READ_COMMITTED, _by_topic(offsets, lambda p: (offsets[p], partition_bytes)))


def times_of(answer: Response, offsets: Mapping[Partition, int]) -> dict[Partition, int]:
    """When the record at each offset was accepted (ms). Without partitions of which no batch came."""
    found = {}
    for topic, partitions in answer.topics:
        for number, error, *_, records in partitions:
            at = None if error else batch_millis(records or b"", offsets[topic, number])
            if at is not None:
                found[topic, number] = at
    return found


def batch_millis(records: bytes, offset: int) -> int | None:
    """The time of the first batch that reaches to `offset`. None if there is none."""
    position = 0
    while len(records) - position >= _BATCH.size:
        base, length, _, _, _, attributes, delta, first, largest = _BATCH.unpack_from(records, position)
        if base + delta >= offset:
            return int(largest if attributes & _LOG_APPEND_TIME else first)
        position += _BEFORE_LENGTH + length
    return None


def owned_of(answer: Response, topic: str) -> frozenset[int]:
    """The partitions that the group has given to its members. Raises KafkaError."""
    ((error, _, _, _, _, members, *_),) = answer.groups
    if error:
        raise for_code(error)
    return frozenset(number for *_, assignment in members for number in _assigned(assignment, topic))


def _assigned(assignment: bytes, topic: str) -> Sequence[int]:
    """While the group rebalances, a member has none."""
    if not assignment:
        return ()
    found = ConsumerProtocolMemberAssignment.decode(assignment)
    return [one.partition for one in found.partitions() if one.topic == topic]


def _by_topic(
    partitions: Iterable[Partition], fields: Callable[[Partition], tuple[int, ...]]
) -> list[tuple[str, list[tuple[int, ...]]]]:
    topics: dict[str, list[tuple[int, ...]]] = {}
    for topic, number in partitions:
        topics.setdefault(topic, []).append((number, *fields((topic, number))))
    return list(topics.items())
