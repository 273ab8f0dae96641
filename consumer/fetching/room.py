"""How much one drain of fetched batches may hold and unpack, and the class that makes aiokafka keep to it.

aiokafka unpacks all that it has fetched at once, however large it becomes. Here the iterator over fetched records ends
when the drain is full, as if the rest had not been fetched: aiokafka then fetches the rest again.
"""

import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from aiokafka.consumer.fetcher import PartitionRecords

MIB = 1024 * 1024

# An ingress writes batches of up to 256 KiB unpacked, or of one record. Other producers' have a few MiB at most.
UNPACK_BYTES = 32 * MIB
# What one drain unpacks in one slice of the event loop, beyond its last batch: some 50 ms.
UNPACKED_BYTES = 32 * MIB
# Even a record without a value takes a KiB in Python.
RECORDS = 32_768
# Heartbeats and flushes wait meanwhile. A drain usually takes a tenth of this. What is not drained is fetched again.
DRAIN_SECONDS = 0.25


@dataclass(slots=True)
class Room:
    """What one drain may still take: bytes of values, records, bytes to unpack, time; and the most of one batch.

    The first record always fits. Otherwise its partition would never be read on.
    """

    bytes_left: int
    unpack_limit: int = UNPACK_BYTES
    records_left: int = field(default=RECORDS, kw_only=True)
    unpacked_left: int = field(default=UNPACKED_BYTES, kw_only=True)
    seconds: float = field(default=DRAIN_SECONDS, kw_only=True)
    _until: float | None = field(default=None, init=False)

    @property
    def is_full(self) -> bool:
        """The time begins with the first question."""
        now = time.monotonic()
        if self._until is None:
            self._until = now + self.seconds
        return self.bytes_left <= 0 or self.records_left <= 0 or self.unpacked_left <= 0 or now > self._until


ROOM: ContextVar[Room | None] = ContextVar("room", default=None)
"""The room of the current drain. None if the reader sets none: then only each batch is bounded."""


class BoundedRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """The fetched records of one partition that fit into the room."""

    def __init__(self, partition: Any, batches: Any, aborted: Any, position: int, *more: Any, **named: Any) -> None:  # noqa: ANN401 aiokafka's own
        super().__init__(partition, batches, aborted, position, *more, **named)
        batches.position = position

    def __next__(self) -> Any:  # noqa: ANN401 aiokafka's ConsumerRecord
        room = ROOM.get()
        if room and room.is_full:
            # This object and its generator refer to each other, and to the unpacked bytes. Closing the generator
            # frees them now, without the garbage collector.
            self._records_iterator.close()  # type: ignore[has-type]  # the same
            self._records_iterator = iter(())
            raise StopIteration
        record = super().__next__()
        if room:
            room.records_left -= 1
            if record.serialized_value_size > 0:  # -1 without a value
                room.bytes_left -= record.serialized_value_size
        return record
