"""The ends of partitions, told by the leader whose log is read.

After an election another leader answers, and its log may hold other records. Its end can equal the checkpoint by
chance: then a lag of 0 would be exported although acknowledged records are missing. So an end counts only after a
metadata answer, asked for later, has shown that the leader's epoch is still the verified one.
"""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from aiokafka import TopicPartition
from aiokafka.consumer.subscription_state import TopicPartitionState

# A broker that is there answers a fetch, and a question for metadata, within a second. An end that was confirmed longer
# ago is no longer known; sooner than the worker is said not to be ready.
END_KNOWN_SECONDS = 5


class End(NamedTuple):
    """Offsets: behind `stable` are records of transactions that have not ended; `highwater` is the end of the log."""

    stable: int
    highwater: int


def ends_told(states: Mapping[TopicPartition, TopicPartitionState | None]) -> dict[TopicPartition, End]:
    """What the answers to fetches have said, as aiokafka notes it."""
    return {
        ours: End(int(state.lso), int(state.highwater))
        for ours, state in states.items()
        if state is not None and state.lso is not None
    }


class ConfirmedEnds:
    """Ends by partition, each for END_KNOWN_SECONDS after it was confirmed."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ends: dict[TopicPartition, tuple[End, float]] = {}

    def confirm(
        self, told: Mapping[TopicPartition, End], verified: Mapping[TopicPartition, int], current: Mapping[int, int]
    ) -> None:
        """Keep the ends of partitions whose `current` leader epoch, asked for after the ends, is the `verified` one."""
        for ours, end in told.items():
            if ours in verified and current.get(ours.partition) == verified[ours]:
                self._ends[ours] = end, self._now()
            else:
                self.drop(ours)

    def drop(self, ours: TopicPartition) -> None:
        """Forget the end: the partition is given up, or read from another position."""
        self._ends.pop(ours, None)

    def of(self, ours: TopicPartition) -> End | None:
        """None where none was confirmed lately."""
        end, at = self._ends.get(ours, (None, 0.0))
        return end if self._now() - at < END_KNOWN_SECONDS else None
