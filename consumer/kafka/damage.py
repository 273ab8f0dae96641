"""Batches that can't be read: they are fetched again, in case the network damaged them; then their partition stops."""

from aiokafka import ConsumerRecord, TopicPartition

from consumer.fetching.batch import DAMAGED_OFFSET
from consumer.ports import Damaged

# A batch that is damaged this often is damaged in the log.
TRIES = 3


class DamagedBatches:
    """The damaged batches of one topic, and how often each was fetched."""

    def __init__(self) -> None:
        self._tries: dict[TopicPartition, tuple[int, int]] = {}
        self._given_up: dict[int, str] = {}

    def offset_to_retry(self, tp: TopicPartition, found: list[ConsumerRecord], reached: int) -> int | None:
        """Remove the mark of damage that ends `found`. Returns the damaged batch's offset; None without a mark.

        The batch begins behind the last good record, or where reading has `reached`.
        """
        if found[-1].offset < DAMAGED_OFFSET:
            return None
        mark = found.pop()
        at = found[-1].offset + 1 if found else reached
        before, tries = self._tries.get(tp, (at, 0))
        self._tries[tp] = (at, tries + 1 if at == before else 1)
        if self._tries[tp][1] >= TRIES:
            del self._tries[tp]
            self._given_up[tp.partition] = mark.checksum.reason
        return at

    def raise_given_up(self) -> None:
        """Raise Damaged, once, for the batches that were damaged every time."""
        if self._given_up:
            given_up, self._given_up = self._given_up, {}
            raise Damaged(given_up)
