"""Logs that were cut below their checkpoint: an unclean election, or a broker's disk restored from an older copy.

The fingerprint of the last applied record shows a cut (consumer/core/position.py): the log has another record at that
offset, or a record between it and the checkpoint. The log was cut at the first record that is younger, by the brokers'
clocks, than the last applied one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from consumer.core.position import first_other
from consumer.core.records import Record
from consumer.fetching.batch import DAMAGED_OFFSET
from consumer.fetching.record import largest_value_bytes, most_unpacked_bytes, record_of
from consumer.fetching.room import ROOM, UNPACK_BYTES, Room
from ops.config import Settings
from ops.connect import NotReachable, kafka_consumer
from ops.topic import FIRST_RECORD_SECONDS, POLL_MILLIS, Patience, TopicNow, read_from
from schemas.coordinates import PartitionId
from schemas.settings import APIS

Document = Mapping[str, Any]

# One record of each partition is enough to compare.
ROOM_BYTES = 16 * 1024 * 1024


async def cuts_of(
    settings: Settings,
    lineages: Sequence[Document],
    checkpoints: Mapping[str, Document],
    topics: Mapping[str, TopicNow],
) -> dict[str, int]:
    """Where logs were cut, by checkpoint. Raises NotReachable, KafkaError.

    What retention has removed since can't be compared, and is not in the answer.
    """
    found: dict[str, int] = {}
    for lineage in lineages:
        topic = topics[lineage["topic"]]
        suspects = _suspects(lineage, checkpoints, topic.bounds) if topic.is_of(lineage) else {}
        if suspects:  # aiokafka's consumer can't be stopped before it was used
            async with kafka_consumer(settings) as consumer:
                cuts = await _cuts(_Reader(settings, consumer, lineage["topic"]), suspects, topic.bounds)
            found |= {str(PartitionId(lineage["_id"], partition)): offset for partition, offset in cuts.items()}
    return found


def _suspects(
    lineage: Document, checkpoints: Mapping[str, Document], bounds: Mapping[int, tuple[int, int]]
) -> dict[int, Document]:
    """Checkpoints whose last record the log still has, or that lie behind its end."""
    found = {}
    for key, one in checkpoints.items():
        name, _, number = key.rpartition("/")
        if name == lineage["_id"] and (span := bounds.get(int(number))) is not None:
            is_there = one["last"] is not None and span[0] <= one["last"]["offset"]
            if is_there or span[1] < one["next"]:
                found[int(number)] = one
    return found


@dataclass(frozen=True, slots=True)
class _Reader:
    settings: Settings
    consumer: AIOKafkaConsumer
    topic: str


async def _cuts(
    reader: _Reader,
    checkpoints: Mapping[int, Document],
    bounds: Mapping[int, tuple[int, int]],
) -> dict[int, int]:
    readable = {
        number: one["last"]["offset"]
        for number, one in checkpoints.items()
        if one["last"] and bounds[number][0] <= one["last"]["offset"] < bounds[number][1]
    }
    read = await _records_at(reader, readable)
    others = {n: first_other(checkpoints[n]["next"], checkpoints[n]["last"], read[n]) for n in read}
    return {
        number: await _cut_at(reader, number, one, bounds[number][1], others.get(number))
        for number, one in checkpoints.items()
        if others.get(number) is not None or bounds[number][1] < one["next"]
    }


async def _records_at(reader: _Reader, offsets: Mapping[int, int]) -> dict[int, Sequence[Record]]:
    """The first records of each partition from its offset on; one at least. Raises NotReachable."""
    found: dict[int, Sequence[Record]] = {}
    if not offsets:
        return found
    consumer, topic, limits = reader.consumer, reader.topic, reader.settings.limits
    # As the worker read it: larger values are cut.
    api = next((api for api in APIS if reader.settings.kafka.topic(api) == topic), None)
    largest_bytes = largest_value_bytes(limits, api)
    read_from(consumer, topic, offsets)
    patience = Patience(FIRST_RECORD_SECONDS)
    while offsets.keys() - found.keys():
        if patience.is_over:
            missing = sorted(offsets.keys() - found.keys())
            raise NotReachable(
                f"Kafka returned no record of {topic}, partitions {missing}: checkpoints can't be compared"
            )
        # A new one each time, because unpacked bytes use it up.
        ROOM.set(Room(ROOM_BYTES, max(UNPACK_BYTES, most_unpacked_bytes(limits))))
        fetched: dict[TopicPartition, list[ConsumerRecord]] = await consumer.getmany(timeout_ms=POLL_MILLIS)
        for ours, records in fetched.items():
            if records[0].offset >= DAMAGED_OFFSET:
                raise NotReachable(f"{topic}, partition {ours.partition}: {records[0].checksum.reason}")
            found.setdefault(ours.partition, [Record(*record_of(one, largest_bytes)) for one in records])
            consumer.pause(ours)
            patience.came()
    return found


async def _cut_at(reader: _Reader, partition: int, checkpoint: Document, end: int, other: int | None) -> int:
    """The offset of the first record that is younger than the last applied one. Without one, the end of the log.

    `other`: an offset whose record certainly differs from the applied one. The cut is not above it.
    """
    last = checkpoint["last"]
    if last is None:
        return end
    ours = TopicPartition(reader.topic, partition)
    younger = (await reader.consumer.offsets_for_times({ours: last["timestamp"] + 1}))[ours]
    latest = end if other is None else other
    return min(younger.offset, latest) if younger else latest
