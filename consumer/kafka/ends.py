"""The ends of partitions, as the leader gives them whose log is read.

After an election another leader answers, and its log may hold other records. Its end can equal the checkpoint by
chance. A lag of 0 would then be exported although acknowledged records are missing. So an end counts only once
metadata that is newer than the end shows that the leader epoch is still the verified one.
"""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from aiokafka import TopicPartition
from aiokafka.consumer.subscription_state import TopicPartitionState

# A broker that runs answers a fetch and a request for metadata within a second. An end that was confirmed longer ago is
# unknown. This is shorter than the time after which the worker is not ready.
END_KNOWN_SECONDS = 5


class End(NamedTuple):
    """Offsets: records from `stable` on belong to open transactions; `highwater` is the end of the log."""

    stable: int
    highwater: int


def ends_in(states: Mapping[TopicPartition, TopicPartitionState | None]) -> dict[TopicPartition, End]:
    """The ends in the last answers to fetches, which aiokafka notes."""
    return {
        tp: End(int(state.lso), int(state.highwater))
        for tp, state in states.items()
        if state is not None and state.lso is not None
    }


class ConfirmedEnds:
    """Ends by partition, each for END_KNOWN_SECONDS after it was confirmed."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ends: dict[TopicPartition, tuple[End, float]] = {}

    def confirm(
        self, ends: Mapping[TopicPartition, End], verified: Mapping[TopicPartition, int], current: Mapping[int, int]
    ) -> None:
        """Keep the ends of partitions whose `current` leader epoch, requested after them, is the `verified` one."""
        for tp, end in ends.items():
            if tp in verified and current.get(tp.partition) == verified[tp]:
                self._ends[tp] = end, self._now()
            else:
                self.drop(tp)

    def drop(self, tp: TopicPartition) -> None:
        """Forget the end: the partition is lost, or read from another position."""
        self._ends.pop(tp, None)

    def of(self, tp: TopicPartition) -> End | None:
        """None if none was confirmed within END_KNOWN_SECONDS."""
        end, at = self._ends.get(tp, (None, 0.0))
        return end if self._now() - at < END_KNOWN_SECONDS else None
