"""For how long each partition has been fetched from without an answer.

Time counts only while records are fetched. A worker whose buffer is full fetches none, and no answer is missing.
"""

import time
from collections.abc import Callable, Mapping

from aiokafka import TopicPartition

# At most this counts between two fetches: a worker that did not fetch for a minute has not waited for a minute.
MAX_STEP_SECONDS = 3.0


class Answers:
    """Compares the times of the last answers, which aiokafka notes, at each fetch."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._asked_at = now()
        self._stamps: dict[TopicPartition, int] = {}
        self._silent: dict[TopicPartition, float] = {}

    def asked(self, stamps: Mapping[TopicPartition, int | None]) -> None:
        """Note a fetch of these partitions. `stamps`: when each was last answered, by any clock."""
        now = self._now()
        step = min(now - self._asked_at, MAX_STEP_SECONDS)
        self._asked_at = now
        self._silent = {tp: self._silence(tp, stamp, step) for tp, stamp in stamps.items()}

    def _silence(self, tp: TopicPartition, stamp: int | None, step: float) -> float:
        if stamp is not None and stamp != self._stamps.get(tp):
            self._stamps[tp] = stamp
            return 0.0
        return self._silent[tp] + step if tp in self._silent else 0.0

    def silent_seconds(self, tp: TopicPartition) -> float:
        """0 if the partition is answered, or not fetched."""
        return self._silent.get(tp, 0.0)

    def silent_for(self, seconds: float) -> list[TopicPartition]:
        return [tp for tp, silent in self._silent.items() if silent > seconds]
