"""Drained records that wait for their leader, with scripted leaders."""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition

from consumer.kafka.topic_id import TopicAnswer
from consumer.kafka.verifying import Drained, Verifying
from consumer.ports import Unavailable
from tests.consumer.parts import eventually
from tests.patience import PATIENCE_SECONDS

TP = TopicPartition("topic", 0)


class Leader:
    """Answers when it is told to, and is slow to notice that nobody wants its answer any more."""

    def __init__(self) -> None:
        self.asked = self.cancelled = False
        self.go_on = asyncio.Event()

    async def answer(self, _node: int | None) -> TopicAnswer:
        self.asked = True
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled = True
            await self.go_on.wait()
        raise AssertionError("it is cancelled")


async def dropping(leader: Leader) -> asyncio.Task[None]:
    """A task that drops the question to this leader, and waits for its end."""
    verifying = Verifying(leader.answer)
    verifying.put(0, {TP: Drained((), 7)})
    await eventually(lambda: leader.asked)
    task = asyncio.create_task(verifying.clear())
    await eventually(lambda: leader.cancelled)
    assert not verifying.partitions
    return task


async def test_a_stop_while_questions_are_dropped_is_not_swallowed() -> None:
    """The watch of the client drops them when it replaces the client. It would go on for ever, and the stop wait."""
    task = await dropping(leader := Leader())
    task.cancel()
    leader.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, PATIENCE_SECONDS)


async def test_questions_are_dropped_whatever_comes_of_them() -> None:
    failing: list[Any] = [Unavailable("Kafka: gone"), ValueError("a bug")]

    async def answer(node: int | None) -> TopicAnswer:
        raise failing[node or 0]

    verifying = Verifying(answer)
    for node in range(2):
        verifying.put(node, {TP: Drained((), 7)})
    await asyncio.sleep(0.01)
    await verifying.clear()
    assert not verifying.partitions
