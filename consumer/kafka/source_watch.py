"""Watches the client that reads: keeps its metadata new, logs what it can't read, and replaces it if it hangs.

- The cluster's metadata is refreshed every second (serving/kafka/watch.py). So a frozen broker, or a set of brokers
  that have all moved, does not stop the client.
- A partition whose broker does not answer is an outage: one line when it is lost, one when it is back.
- A client is replaced if one of its background tasks has ended, or if it does not read a partition although the leader
  has answered it for a while. The time of an outage does not count: the client needs a moment to read again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiokafka import TopicPartition

from consumer.kafka.source import SourceClient, part_of
from consumer.kafka.unanswered import UnansweredFetches
from consumer.kafka.verifying import ANSWER_SECONDS, Ask
from consumer.ports import Unavailable
from serving.kafka.watch import KafkaWatch

# An election among running brokers takes less. After this the log says that a partition is not read.
UNREAD_SECONDS = 5

# The client hangs if a partition is not read while its broker answers other requests for so long. The time doubles with
# each new client that does not read it either.
HANGING_SECONDS = 7
MAX_HANGING_SECONDS = 300


class SourceWatch:
    """Watches the client of one topic. `replace` returns False if Kafka can't be reached."""

    def __init__(
        self,
        watch: KafkaWatch,
        unanswered: UnansweredFetches,
        source: Callable[[], SourceClient],
        ask: Ask,
        replace: Callable[[str], Awaitable[bool]],
        confirm_ends: Callable[[], Awaitable[None]],
    ) -> None:
        self._watch = watch
        self._unanswered = unanswered
        self._outage = watch.outage
        self._source = source
        self._ask = ask
        self._replace = replace
        self._confirm_ends = confirm_ends
        self._now = unanswered.now
        self._reached_at = self._now()
        self._logged: set[TopicPartition] = set()
        self._hanging_seconds = HANGING_SECONDS
        self._replaced_at = 0.0
        # Partitions that are not read, and since when the broker that leads them has answered this very client.
        self._neglected: dict[TopicPartition, float] = {}

    def unreachable_seconds(self) -> float:
        """For how long no address of Kafka has answered; 0 if one answers."""
        return 0.0 if self._watch.reached else self._now() - self._reached_at

    def neglected_seconds(self, tp: TopicPartition) -> float:
        """For how long the partition has not been read although its broker answers; 0 if it is read, or silent."""
        return self._now() - self._neglected[tp] if tp in self._neglected else 0.0

    async def run(self) -> None:
        """Check every second until cancelled."""
        await self._watch.run(self.check)

    async def check(self) -> None:
        """Check once."""
        with suppress(Unavailable):
            await self._confirm_ends()
        await self._watch.refresh()
        if self._watch.reached:
            self._reached_at = self._now()
        self._log_unread()
        neglected = await self._find_neglected()
        self._neglected = {tp: self._neglected.get(tp, self._now()) for tp in neglected}
        if (reason := self._reason_to_replace()) and await self._replace(reason):
            self._replaced_at = self._now()
            self._hanging_seconds = min(2 * self._hanging_seconds, MAX_HANGING_SECONDS)

    def _log_unread(self) -> None:
        unread = set(self._unanswered.longer_than(UNREAD_SECONDS))
        for tp in unread:
            seconds = self._unanswered.seconds(tp)
            self._outage.lost(part_of(tp), f"{part_of(tp)} is not read: its broker does not answer", seconds)
        for tp in self._logged - unread:
            self._outage.back(part_of(tp))
        self._logged = unread

    async def _find_neglected(self) -> frozenset[TopicPartition]:
        source = self._source()
        leaders = {tp: source.leader(tp) for tp in self._unanswered.longer_than(UNREAD_SECONDS)}
        asked = list({leader for leader in leaders.values() if leader is not None})
        answers = await asyncio.gather(*map(self._is_answering, asked))
        answering = {leader for leader, is_answering in zip(asked, answers, strict=True) if is_answering}
        return frozenset(tp for tp, leader in leaders.items() if leader in answering)

    async def _is_answering(self, node: int) -> bool:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._ask(node)
        except (Unavailable, TimeoutError):
            return False
        return True

    def _reason_to_replace(self) -> str | None:
        if task := self._source().ended():
            return f"{task} has ended"
        if not self._unanswered.longer_than(UNREAD_SECONDS):
            self._hanging_seconds = HANGING_SECONDS
        before = self._now() - self._hanging_seconds
        hanging = [tp for tp, since in self._neglected.items() if max(since, self._replaced_at) < before]
        return f"{part_of(min(hanging))} is not read although its broker answers" if hanging else None
