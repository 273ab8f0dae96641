"""Looks after the client that reads: tells it which brokers there are, and says when another must take its place.

- The cluster is looked at every second (serving/kafka/watch.py), so that neither a frozen broker nor a set of
  brokers that have all moved holds the client up.
- A partition that no broker answers for is an outage: one line when it is lost, one when it is back.
- A client one of whose own tasks has ended reads nothing any more. One that doesn't read a partition whose leader
  answers it hangs. Both are made anew.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiokafka import TopicPartition

from consumer.kafka.answers import Answers
from consumer.kafka.source import SourceClient
from consumer.kafka.verifying import ANSWER_SECONDS, Ask
from consumer.ports import Unavailable
from serving.kafka.watch import LOOK_SECONDS, KafkaWatch

# An election among living brokers takes less. From then on the log says that a partition is not read.
UNREAD_SECONDS = 5

# A partition that is not read although its broker answers other questions: the client hangs. Twice as long after each
# new client that doesn't read it either.
HANGING_SECONDS = 12
MAX_HANGING_SECONDS = 300


class SourceWatch:
    """Of one topic's client. `make_anew` puts another in its place, if Kafka can be reached."""

    def __init__(
        self,
        watch: KafkaWatch,
        answers: Answers,
        source: Callable[[], SourceClient],
        ask: Ask,
        make_anew: Callable[[str], Awaitable[bool]],
        confirm_ends: Callable[[], Awaitable[None]],
    ) -> None:
        self._watch = watch
        self._answers = answers
        self._outage = watch.outage
        self._source = source
        self._ask = ask
        self._make_anew = make_anew
        self._confirm_ends = confirm_ends
        self._reached_at = time.monotonic()
        self._told: set[TopicPartition] = set()
        self._hanging_seconds = HANGING_SECONDS
        self.neglected: frozenset[TopicPartition] = frozenset()
        """Partitions that are not read although the broker that leads them answers this very client."""

    def unreachable_seconds(self) -> float:
        """For how long no address of Kafka has answered; 0 where one has."""
        return 0.0 if self._watch.reached else time.monotonic() - self._reached_at

    async def run(self) -> None:
        """Runs until cancelled."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await self._watch.close()

    async def look(self) -> None:
        """Once."""
        with suppress(Unavailable):
            await self._confirm_ends()
        await self._watch.look()
        if self._watch.reached:
            self._reached_at = time.monotonic()
        self._tell_unread()
        self.neglected = await self._find_neglected()
        if (reason := self._reason_to_make_anew()) and await self._make_anew(reason):
            self._hanging_seconds = min(2 * self._hanging_seconds, MAX_HANGING_SECONDS)

    def _tell_unread(self) -> None:
        unread = set(self._answers.silent_for(UNREAD_SECONDS))
        for ours in unread:
            seconds = self._answers.silent_seconds(ours)
            self._outage.lost(part_of(ours), f"{part_of(ours)} is not read: its broker does not answer", seconds)
        for ours in self._told - unread:
            self._outage.back(part_of(ours))
        self._told = unread

    async def _find_neglected(self) -> frozenset[TopicPartition]:
        source = self._source()
        leaders = {ours: source.leader(ours) for ours in self._answers.silent_for(UNREAD_SECONDS)}
        asked = list({leader for leader in leaders.values() if leader is not None})
        answers = await asyncio.gather(*map(self._is_answering, asked))
        answering = {leader for leader, is_answering in zip(asked, answers, strict=True) if is_answering}
        return frozenset(ours for ours, leader in leaders.items() if leader in answering)

    async def _is_answering(self, node: int) -> bool:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._ask(node)
        except (Unavailable, TimeoutError):
            return False
        return True

    def _reason_to_make_anew(self) -> str | None:
        if task := self._source().ended():
            return f"{task} has ended"
        if not self._answers.silent_for(UNREAD_SECONDS):
            self._hanging_seconds = HANGING_SECONDS
        hanging = self.neglected.intersection(self._answers.silent_for(self._hanging_seconds))
        return f"{part_of(min(hanging))} is not read although its broker answers" if hanging else None


def part_of(ours: TopicPartition) -> str:
    return f"partition {ours.partition} of {ours.topic}"
