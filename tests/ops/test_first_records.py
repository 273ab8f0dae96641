"""How long the first record of a log is waited for."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from ops import topic
from ops.topic import FIRST_RECORD_SECONDS, Patience, first_times


class SlowConsumer:
    """Gives one partition's record a call, each call nearly as long as may be waited; the last ones never come."""

    def __init__(self, partitions: int) -> None:
        self.seconds = 0.0
        self._left = [TopicPartition("t", number) for number in range(partitions)]
        self.calls = 0

    def assign(self, _partitions: object) -> None: ...

    def seek(self, _partition: object, _offset: int) -> None: ...

    def pause(self, _partition: object) -> None: ...

    async def getmany(self, **_options: object) -> dict[TopicPartition, list[Any]]:
        self.calls += 1
        self.seconds += FIRST_RECORD_SECONDS - 1
        return {self._left.pop(0): [SimpleNamespace(timestamp=7)]} if self._left else {}


@pytest.mark.parametrize(("given", "calls"), [(8, 8), (7, 9)])
async def test_records_that_come_one_after_the_other_are_waited_for(
    monkeypatch: pytest.MonkeyPatch, given: int, calls: int
) -> None:
    """And one that never comes is given up."""
    consumer: Any = SlowConsumer(given)
    monkeypatch.setattr(topic, "Patience", lambda seconds: Patience(seconds, lambda: float(consumer.seconds)))
    times = await first_times(consumer, "t", dict.fromkeys(range(8), 0))
    assert [7] * given + [None] * (8 - given) == list(times.values())
    assert calls == consumer.calls
