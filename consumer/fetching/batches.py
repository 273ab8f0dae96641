"""The batches of one answer of a broker. Replaces aiokafka's own reader of them.

aiokafka decodes all records of a batch, or raises the same error each time; an error also loses what it has drained of
other partitions. So nothing here raises: what can't be decoded becomes dead records, or damage.
"""

import struct
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher

from consumer.fetching.batch import DAMAGED_OFFSET, HEAD_BYTES, KEPT_BYTES, MAGIC, Batch, Flaw, Found, damaged
from consumer.fetching.room import BoundedRecords

# The beginning of all formats: base offset, length of the rest, 4 bytes, magic.
_LOG_OVERHEAD_BYTES = 12
_MAGIC_AT = 16


class Batches:
    """aiokafka's MemoryRecords: `next_batch` while it `has_next`."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0
        self._last: Batch | OtherBatch | None = None
        self.position = 0
        """The reader's position. Records below it are skipped."""

    def size_in_bytes(self) -> int:
        return len(self._data)

    def has_next(self) -> bool:
        """Whether another complete batch follows: an answer may end in the middle of one. After damage: False."""
        if self._last and self._last.is_damaged:
            return False
        left = len(self._data) - self._at
        return left >= _LOG_OVERHEAD_BYTES and left >= _LOG_OVERHEAD_BYTES + self._length()

    def next_batch(self) -> "Batch | OtherBatch":
        raw = self._data[self._at : self._at + _LOG_OVERHEAD_BYTES + max(self._length(), 0)]
        self._at += len(raw)
        magic = raw[_MAGIC_AT] if len(raw) > _MAGIC_AT else -1
        self._last = Batch(raw, self.position) if magic == MAGIC and len(raw) >= HEAD_BYTES else OtherBatch(raw, magic)
        return self._last

    def _length(self) -> int:
        return int(struct.unpack_from(">i", self._data, self._at + 8)[0])


class OtherBatch:
    """Bytes that are no batch of format 2: a message older than Kafka 0.11, which is dead; or damage."""

    producer_id = None
    is_transactional = False
    is_control_batch = False

    def __init__(self, raw: memoryview, magic: int) -> None:
        self._raw = raw
        self._magic = magic
        self.is_damaged = magic not in (0, 1)
        (self.base_offset,) = struct.unpack_from(">q", raw)
        self.next_offset = DAMAGED_OFFSET + 1 if self.is_damaged else self.base_offset + 1

    def validate_crc(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        if self.is_damaged:
            yield damaged(f"what stands at offset {self.base_offset} is no record batch (format {self._magic})")
            return
        reason = f"message format {self._magic} is of before Kafka 0.11, and can't carry headers"
        yield Found(self.base_offset, 0, 0, None, bytes(self._raw[:KEPT_BYTES]), (), Flaw(reason))


def install() -> None:
    """Replace aiokafka's readers, for every consumer of this process. A second call changes nothing."""
    fetcher.MemoryRecords = Batches
    fetcher.PartitionRecords = BoundedRecords
