"""A topic in Kafka: its identity, partitions, offsets, and the age of its records."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from consumer.kafka.topic_id import topic_identity
from consumer.ports import TopicIdentity, Unavailable
from ops.connect import NotReachable

# The broker has just returned the log's bounds, so it is available. A record then comes within milliseconds, on a busy
# machine within seconds.
FIRST_RECORD_SECONDS = 30
POLL_MILLIS = 200


class Patience:
    """A time-out that each arrival renews, because many partitions take longer than one."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._until = now() + seconds

    def came(self) -> None:
        self._until = self._now() + self._seconds

    @property
    def is_over(self) -> bool:
        return self._now() >= self._until


@dataclass(frozen=True, slots=True)
class TopicNow:
    """A topic in Kafka. Without identity it does not exist, and `problem` says why."""

    identity: TopicIdentity | None
    bounds: Mapping[int, tuple[int, int]]
    problem: str = ""

    def is_of(self, lineage: Mapping[str, Any]) -> bool:
        """Whether the offsets of `lineage` are offsets of this very topic."""
        found = self.identity
        return found is not None and (found.cluster, found.topic_id) == (lineage["cluster"], lineage["topicId"])


async def topic_now(consumer: AIOKafkaConsumer, topic: str) -> TopicNow:
    """The topic in Kafka. A missing topic is a value, not an exception."""
    try:
        identity = await identity_of(consumer, topic)
    except NotReachable as error:
        return TopicNow(None, {}, str(error))
    return TopicNow(identity, await bounds_of(consumer, topic, await partitions_of(consumer, topic)))


async def identity_of(consumer: AIOKafkaConsumer, topic: str) -> TopicIdentity:
    """Raises NotReachable, also where there is no such topic."""
    try:
        return await topic_identity(consumer._client, topic)  # noqa: SLF001 its connection has no public name
    except Unavailable as error:
        raise NotReachable(str(error)) from error


async def partitions_of(consumer: AIOKafkaConsumer, topic: str) -> list[int]:
    """The partitions of a topic that exists."""
    await consumer._client.add_topic(topic)  # noqa: SLF001 a consumer without a subscription has no metadata of it
    found: set[int] | None = consumer.partitions_for_topic(topic)
    return sorted(found or ())


async def bounds_of(consumer: AIOKafkaConsumer, topic: str, partitions: list[int]) -> Mapping[int, tuple[int, int]]:
    """The first offset and the one after the last, by partition. Raises KafkaError."""
    ours = [TopicPartition(topic, partition) for partition in partitions]
    if not ours:
        return {}
    begins, ends = await consumer.beginning_offsets(ours), await consumer.end_offsets(ours)
    return {tp.partition: (begins[tp], ends[tp]) for tp in ours}


def read_from(consumer: AIOKafkaConsumer, topic: str, offsets: Mapping[int, int]) -> None:
    """Read these partitions, each from its offset on. All at once: a consumer stalls after a second assign()."""
    consumer.assign([TopicPartition(topic, partition) for partition in offsets])
    for partition, offset in offsets.items():
        consumer.seek(TopicPartition(topic, partition), offset)


async def first_times(consumer: AIOKafkaConsumer, topic: str, offsets: Mapping[int, int]) -> dict[int, int | None]:
    """The time (ms) of each partition's first record from its offset on; None where none comes in time."""
    times: dict[int, int | None] = dict.fromkeys(offsets)
    read_from(consumer, topic, offsets)
    patience = Patience(FIRST_RECORD_SECONDS)
    while None in times.values() and not patience.is_over:
        for ours, records in (await consumer.getmany(timeout_ms=POLL_MILLIS)).items():
            if records and times[ours.partition] is None:
                times[ours.partition] = int(records[0].timestamp)
                patience.came()
                consumer.pause(ours)
    return times
