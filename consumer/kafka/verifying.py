"""Records that were drained and wait until their leader has said which topic they are of, and under which election.

A topic made anew between two fetches raises no error: reading goes on at the old offset, past its first records. A
topic id never comes back, so the same one before and after means the same topic all along. So it is with an election:
after an unclean one another record may stand below the position.

Leaders are asked side by side: one that is frozen holds up its own partitions alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition

from consumer.kafka.topic_id import TopicAnswer
from consumer.ports import Unavailable

# A leader that is there answers within milliseconds.
ANSWER_SECONDS = 3.0

# Before a leader that failed is asked again.
PAUSE_SECONDS = 0.2

Ask = Callable[[int | None], Awaitable[TopicAnswer]]
"""Asks one broker, or any. Raises Unavailable."""


class Drained(NamedTuple):
    """What came of one partition, and the offset that reading has come to: behind the last record, or further."""

    records: Sequence[ConsumerRecord]
    reached: int


class Verified(NamedTuple):
    """Drained records with their leader's word; without it (None) the question is to be put again."""

    drained: Mapping[TopicPartition, Drained]
    answer: TopicAnswer | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Question:
    drained: dict[TopicPartition, Drained]
    task: asyncio.Task[TopicAnswer]


class Verifying:
    """The questions that are under way."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._questions: list[_Question] = []

    @property
    def partitions(self) -> set[TopicPartition]:
        """Those whose records wait. More of them must not be drained: an answer vouches for what came before it."""
        return {ours for question in self._questions for ours in question.drained}

    def put(self, leader: int | None, drained: Mapping[TopicPartition, Drained], after_seconds: float = 0) -> None:
        """Ask the leader of these partitions."""
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
        """What has been answered, all of it or not, once that is everything or the time is over."""
        if not self._questions:
            return []
        await asyncio.wait([question.task for question in self._questions], timeout=seconds)
        done = [question for question in self._questions if question.task.done()]
        self._questions = [question for question in self._questions if question not in done]
        return [_verified(question) for question in done]

    def drop(self, ours: TopicPartition) -> None:
        """Its records are of no interest any more."""
        for question in self._questions:
            question.drained.pop(ours, None)

    async def clear(self) -> None:
        """Drop everything."""
        dropped, self._questions = self._questions, []
        for question in dropped:
            question.task.cancel()
            with suppress(asyncio.CancelledError, Unavailable):
                await question.task


def _verified(question: _Question) -> Verified:
    try:
        return Verified(question.drained, question.task.result())
    except Unavailable as error:
        return Verified(question.drained, None, str(error))
