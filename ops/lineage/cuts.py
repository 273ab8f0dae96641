"""Logs that were cut below their checkpoint: an unclean election, or a broker's disk restored from an older copy.

The fingerprint of the last applied record tells (consumer/core/position.py): if the log has another record there, or
a record between it and the checkpoint, the log was cut and written anew. Where it was cut, the brokers' clocks tell:
at the first record that is younger than the last applied one.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from consumer.core.position import is_cut
from consumer.core.records import Record
from consumer.fetching.record import record_of
from ops.config import Settings
from ops.connect import NotReachable, kafka_consumer
from ops.topic import FIRST_RECORD_SECONDS, POLL_MILLIS, TopicNow

Document = Mapping[str, Any]

# Values are compared whole.
ANY_BYTES = 1 << 40


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
        if not topic.is_of(lineage):
            continue
        suspects = {
            int(key.rpartition("/")[2]): one
            for key, one in checkpoints.items()
            if key.partition("/")[0] == lineage["_id"]
        }
        async with kafka_consumer(settings) as consumer:
            cuts = await _cuts(consumer, lineage["topic"], suspects, topic.bounds)
        found |= {suspects[partition]["_id"]: offset for partition, offset in cuts.items()}
    return found


async def _cuts(
    consumer: AIOKafkaConsumer,
    topic: str,
    checkpoints: Mapping[int, Document],
    bounds: Mapping[int, tuple[int, int]],
) -> dict[int, int]:
    ended = {number: one for number, one in checkpoints.items() if number in bounds and bounds[number][1] < one["next"]}
    readable = {
        number: one
        for number, one in checkpoints.items()
        if number in bounds and one["last"] and bounds[number][0] <= one["last"]["offset"] < bounds[number][1]
    }
    read = await _records_at(consumer, topic, {n: one["last"]["offset"] for n, one in readable.items()})
    differ = {n: one for n, one in readable.items() if is_cut(one["next"], one["last"], read[n])}
    return {
        number: await _cut_at(consumer, TopicPartition(topic, number), one, bounds[number], differs=number in differ)
        for number, one in {**ended, **differ}.items()
    }


async def _records_at(
    consumer: AIOKafkaConsumer, topic: str, offsets: Mapping[int, int]
) -> dict[int, Sequence[Record]]:
    """The first records of each partition from its offset on; one at least. Raises NotReachable."""
    found: dict[int, Sequence[Record]] = {}
    if not offsets:
        return found
    # All at once: a consumer was seen to stall after a second assign().
    consumer.assign([TopicPartition(topic, partition) for partition in offsets])
    for partition, offset in offsets.items():
        consumer.seek(TopicPartition(topic, partition), offset)
    give_up = time.monotonic() + FIRST_RECORD_SECONDS
    while offsets.keys() - found.keys():
        if time.monotonic() > give_up:
            missing = sorted(offsets.keys() - found.keys())
            raise NotReachable(f"Kafka gives no record of {topic}, partitions {missing}: nothing can be compared")
        fetched: dict[TopicPartition, list[ConsumerRecord]] = await consumer.getmany(
            timeout_ms=POLL_MILLIS, max_records=10
        )
        for ours, records in fetched.items():
            found.setdefault(ours.partition, [Record(*record_of(one, ANY_BYTES)) for one in records])
            consumer.pause(ours)
    return found


async def _cut_at(
    consumer: AIOKafkaConsumer, ours: TopicPartition, checkpoint: Document, bounds: tuple[int, int], *, differs: bool
) -> int:
    """The first record that is younger than the last applied one; without one, where the log ends."""
    begin, end = bounds
    last = checkpoint["last"]
    if last is None:
        return end
    younger = (await consumer.offsets_for_times({ours: last["timestamp"] + 1}))[ours]
    # A record known to be another bounds it, whatever the clocks say.
    latest = last["offset"] if differs and last["offset"] < end else end
    at = min(younger.offset, latest) if younger else latest
    return max(begin, at)
