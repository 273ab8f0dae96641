"""How much one drain of fetched batches may hold and unpack, and the hook that holds aiokafka to it.

aiokafka unpacks all it has fetched at once, whatever comes of it. Here an iterator over fetched records ends when the
drain is full, as if the rest had not been fetched yet: aiokafka then asks the broker again from there.
"""

import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from aiokafka.consumer.fetcher import PartitionRecords

MIB = 1024 * 1024

# A batch of an ingress unpacks to 256 KiB, or is one record; another producer's is some MiB at most.
UNPACK_BYTES = 32 * MIB
# What one drain unpacks in one slice of the event loop, beyond its last batch: some 50 ms.
UNPACKED_BYTES = 32 * MIB
# A record without a value costs a KiB in Python all the same.
RECORDS = 32_768
# Heartbeats wait meanwhile, and so do the flushes. Usual is a tenth; what was fetched and not drained is fetched again.
DRAIN_SECONDS = 0.25


@dataclass(slots=True)
class Room:
    """What is left for one drain: bytes of values, records, bytes to unpack, time; and most that a batch may unpack to.

    The first record always fits, or its partition would stand still.
    """

    bytes_left: int
    unpack_limit: int = UNPACK_BYTES
    records_left: int = field(default=RECORDS, kw_only=True)
    unpacked_left: int = field(default=UNPACKED_BYTES, kw_only=True)
    seconds: float = field(default=DRAIN_SECONDS, kw_only=True)
    _until: float | None = field(default=None, init=False)

    @property
    def is_full(self) -> bool:
        """Time runs from the first look: until then nothing has come."""
        now = time.monotonic()
        if self._until is None:
            self._until = now + self.seconds
        return self.bytes_left <= 0 or self.records_left <= 0 or self.unpacked_left <= 0 or now > self._until


ROOM: ContextVar[Room | None] = ContextVar("room", default=None)
"""That of the drain at work; None where a reader has set none: its batches are bounded one by one."""


class BoundedRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """Of one partition's fetched records those that there is room for."""

    def __init__(self, partition: Any, batches: Any, aborted: Any, position: int, *more: Any, **named: Any) -> None:  # noqa: ANN401 aiokafka's own
        super().__init__(partition, batches, aborted, position, *more, **named)
        batches.position = position

    def __next__(self) -> Any:  # noqa: ANN401 aiokafka's ConsumerRecord
        room = ROOM.get()
        if room and room.is_full:
            # It and its generator refer to each other, and with them to what is unpacked: it must not wait for the
            # garbage collector.
            self._records_iterator.close()  # type: ignore[has-type]  # the same
            self._records_iterator = iter(())
            raise StopIteration
        record = super().__next__()
        if room:
            room.records_left -= 1
            if record.serialized_value_size > 0:  # -1 without a value
                room.bytes_left -= record.serialized_value_size
        return record
