"""What the observer reads from Kafka in one step: topics, ends, the oldest uncounted records, and who has a partition.

It belongs to no consumer group and commits nothing.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

from aiokafka.errors import KafkaError, RequestTimedOutError
from aiokafka.protocol.admin import DescribeGroupsRequest

from console.observer.brokers import Brokers, Leaders
from console.observer.facts import Silent, TopicFacts
from console.observer.oldest import OldestRecords
from console.observer.requests import BEGIN, END, Partition, described, offsets_of, offsets_request, owned_of
from schemas.settings import Api, KafkaSettings
from serving.kafka.bootstrap import NotReached
from serving.kafka.client import UnusableFile, why
from serving.kafka.topic_metadata import TopicMetadataRequest
from serving.outage import Outage

# Of a whole step. One frozen broker does not fail it: the answers of leaders and coordinators, and the search for the
# oldest records, are shorter together.
STEP_SECONDS = 5.0

FAILURES = (KafkaError, NotReached, UnusableFile, OSError, TimeoutError)

Positions = Mapping[str, Mapping[int, int]]
"""The next offset to count, by topic and partition."""


class Reader(Protocol):
    """Reads what Kafka knows. Never raises for a server that does not answer."""

    async def read(self, positions: Positions) -> Mapping[str, TopicFacts] | Silent:
        """By topic, without topics that do not exist."""
        ...


class KafkaReader:
    """Implements Reader."""

    def __init__(self, kafka: KafkaSettings, apis: Sequence[Api]) -> None:
        self._groups = {kafka.topic(api): kafka.group_of(api) for api in apis}
        self._brokers = Brokers(kafka, self._groups)
        self._oldest = OldestRecords(self._brokers)
        self._outage = Outage("kafka")

    @property
    def is_up(self) -> bool:
        """Whether Kafka answered the last step."""
        return self._outage.is_up

    async def close(self) -> None:
        self._oldest.forget()
        await self._brokers.close()

    async def read(self, positions: Positions) -> Mapping[str, TopicFacts] | Silent:
        try:
            async with asyncio.timeout(STEP_SECONDS):
                await self._brokers.connect()
                found = await self._read(positions)
        except FAILURES as error:
            await self.close()
            reason = why(error)
            self._outage.lost("observer", reason)
            return Silent(reason)
        self._outage.back("observer")
        return found

    async def _read(self, positions: Positions) -> Mapping[str, TopicFacts]:
        """Raises KafkaError, OSError."""
        answer = await self._brokers.ask_any(TopicMetadataRequest(*self._groups))
        topics = described(answer)
        leaders = {(one.topic, number): leader for one in topics for number, leader in one.leaders.items()}
        # Side by side: a frozen broker may lead partitions and coordinate groups.
        bounds, owned = await asyncio.gather(self._bounds(leaders), self._owners(one.topic for one in topics))
        oldest = await self._oldest.find(leaders, lagging(bounds, positions))
        return {
            one.topic: TopicFacts(
                cluster=answer.cluster_id,
                topic_id=one.topic_id,
                bounds={number: bounds.get((one.topic, number)) for number in one.leaders},
                oldest_millis={number: millis for (name, number), millis in oldest.items() if name == one.topic},
                owned=owned[one.topic],
            )
            for one in topics
        }

    async def _bounds(self, leaders: Leaders) -> dict[Partition, tuple[int, int]]:
        """Of partitions whose leader answers. Raises KafkaError if none does."""
        ask = [
            self._brokers.ask_leaders(leaders, leaders, partial(offsets_request, at=BEGIN)),
            self._brokers.ask_leaders(leaders, leaders, partial(offsets_request, at=END)),
        ]
        begins, ends = (_merged(answers) for answers in await asyncio.gather(*ask))
        if leaders and not ends:
            raise RequestTimedOutError
        return {one: (begins[one], ends[one]) for one in begins if one in ends}

    async def _owners(self, topics: Iterable[str]) -> dict[str, frozenset[int] | None]:
        names = list(topics)
        return dict(zip(names, await asyncio.gather(*map(self._owned, names)), strict=True))

    async def _owned(self, topic: str) -> frozenset[int] | None:
        """None if the coordinator does not answer, or does not allow it."""
        group = self._groups[topic]
        try:
            return owned_of(await self._brokers.ask_coordinator(group, DescribeGroupsRequest([group])), topic)
        except (KafkaError, OSError):
            self._brokers.forget_coordinator(group)
            return None


def lagging(bounds: Mapping[Partition, tuple[int, int]], positions: Positions) -> dict[Partition, int]:
    """Where the oldest uncounted record of each partition is that has one. Without a checkpoint: at the beginning."""
    found = {}
    for (topic, number), (begin, end) in bounds.items():
        if topic in positions:
            following = max(begin, positions[topic].get(number, begin))
            if following < end:
                found[topic, number] = following
    return found


def _merged(answers: Sequence[object]) -> dict[Partition, int]:
    return {one: offset for answer in answers for one, offset in offsets_of(answer).items()}
