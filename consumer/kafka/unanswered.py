"""For how long fetches of each partition have had no answer.

Time counts only while records are fetched. A worker whose buffer is full fetches none, and no answer is missing.
"""

import time
from collections.abc import Callable, Mapping

from aiokafka import TopicPartition

# At most this counts between two fetches: a worker that did not fetch for a minute has not waited for a minute.
MAX_STEP_SECONDS = 3.0


class UnansweredFetches:
    """Compares, at each fetch, the times of the last answers, which aiokafka notes."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._fetched_at = now()
        self._stamps: dict[TopicPartition, int] = {}
        self._seconds: dict[TopicPartition, float] = {}

    def note_fetch(self, stamps: Mapping[TopicPartition, int | None]) -> None:
        """Note a fetch of these partitions. `stamps`: when each was last answered, by any clock."""
        now = self.now()
        step = min(now - self._fetched_at, MAX_STEP_SECONDS)
        self._fetched_at = now
        self._seconds = {tp: self._unanswered(tp, stamp, step) for tp, stamp in stamps.items()}

    def _unanswered(self, tp: TopicPartition, stamp: int | None, step: float) -> float:
        if stamp is not None and stamp != self._stamps.get(tp):
            self._stamps[tp] = stamp
            return 0.0
        return self._seconds[tp] + step if tp in self._seconds else 0.0

    def seconds(self, tp: TopicPartition) -> float:
        """0 if the partition is answered, or not fetched."""
        return self._seconds.get(tp, 0.0)

    def longer_than(self, seconds: float) -> list[TopicPartition]:
        return [tp for tp, unanswered in self._seconds.items() if unanswered > seconds]
