"""For how long each partition has been asked for in vain.

Time counts only while records are asked for: a worker without room asks for none, and what it heard last holds.
"""

import time
from collections.abc import Callable, Mapping

from aiokafka import TopicPartition

# Most that counts between two times of asking: who didn't ask for a minute hasn't waited for a minute.
MAX_STEP_SECONDS = 3.0


class Answers:
    """Compares the times of answers that aiokafka notes, between two times of asking."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._asked_at = now()
        self._stamps: dict[TopicPartition, int] = {}
        self._silent: dict[TopicPartition, float] = {}

    def asked(self, stamps: Mapping[TopicPartition, int | None]) -> None:
        """Records of these partitions are asked for now; when each was answered last, by any clock."""
        now = self._now()
        step = min(now - self._asked_at, MAX_STEP_SECONDS)
        self._asked_at = now
        self._silent = {ours: self._silence(ours, stamp, step) for ours, stamp in stamps.items()}

    def _silence(self, ours: TopicPartition, stamp: int | None, step: float) -> float:
        if stamp is not None and stamp != self._stamps.get(ours):
            self._stamps[ours] = stamp
            return 0.0
        return self._silent[ours] + step if ours in self._silent else 0.0

    def silent_seconds(self, ours: TopicPartition) -> float:
        """0 where it is answered, or not asked for."""
        return self._silent.get(ours, 0.0)

    def silent_for(self, seconds: float) -> list[TopicPartition]:
        return [ours for ours, silent in self._silent.items() if silent > seconds]
