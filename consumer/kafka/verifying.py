"""Drained records, which wait until their leader has confirmed which topic they are of, and which election.

A topic that is deleted and created again between two fetches raises no error: reading continues at the old offset, and
the first records of the new topic are skipped. Topic ids are never used again. So if the id is the same after the fetch
as before, the records are of the same topic. Likewise the leader epoch: after an unclean election another record may
stand below the position.

Leaders are asked in parallel, so a frozen leader delays its own partitions only.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition

from consumer.kafka.topic_id import TopicAnswer
from consumer.ports import Unavailable

# A leader that runs answers within milliseconds.
ANSWER_SECONDS = 3.0

# Before a leader that gave no answer is asked again.
PAUSE_SECONDS = 0.2

Ask = Callable[[int | None], Awaitable[TopicAnswer]]
"""Asks one broker; None: any. Raises Unavailable."""


class Drained(NamedTuple):
    """Records of one partition, and the offset where reading continues: behind the last record, or further."""

    records: Sequence[ConsumerRecord]
    reached: int


class Verified(NamedTuple):
    """Drained records with the answer of their leader; None if it gave none, and `problem` says why."""

    drained: Mapping[TopicPartition, Drained]
    answer: TopicAnswer | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Question:
    drained: dict[TopicPartition, Drained]
    task: asyncio.Task[TopicAnswer]


class Verifying:
    """The questions that have no answer yet."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._questions: list[_Question] = []

    @property
    def partitions(self) -> set[TopicPartition]:
        """Partitions whose records wait. No more of them must be drained: an answer covers only what came before it."""
        return {tp for question in self._questions for tp in question.drained}

    def put(self, leader: int | None, drained: Mapping[TopicPartition, Drained], after_seconds: float = 0) -> None:
        """Ask the leader of these partitions, after a pause."""
        task = asyncio.create_task(self._answer(leader, after_seconds), name="verify what was read")
        self._questions.append(_Question(dict(drained), task))

    async def _answer(self, leader: int | None, after_seconds: float) -> TopicAnswer:
        await asyncio.sleep(after_seconds)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._ask(leader)
        except TimeoutError as error:
            raise Unavailable(f"Kafka: broker {leader} has not answered within {ANSWER_SECONDS:g} s") from error

    async def wait(self, seconds: float) -> list[Verified]:
        """Wait for all answers, or for so many seconds. Returns those that have come."""
        if not self._questions:
            return []
        await asyncio.wait([question.task for question in self._questions], timeout=seconds)
        done = [question for question in self._questions if question.task.done()]
        self._questions = [question for question in self._questions if question not in done]
        return [_verified(question) for question in done]

    def drop(self, tp: TopicPartition) -> None:
        """Drop the records of this partition."""
        for question in self._questions:
            question.drained.pop(tp, None)

    async def clear(self) -> None:
        """Drop everything."""
        dropped, self._questions = self._questions, []
        for question in dropped:
            question.task.cancel()
        # Not by awaiting each: that would swallow the cancellation of this task, which a stop waits for.
        await asyncio.gather(*(question.task for question in dropped), return_exceptions=True)


def _verified(question: _Question) -> Verified:
    try:
        return Verified(question.drained, question.task.result())
    except Unavailable as error:
        return Verified(question.drained, None, str(error))
