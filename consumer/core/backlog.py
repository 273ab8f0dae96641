"""Records of one partition between the log and a flush: waiting (raw), then ready (decoded).

Raw records are small and decoded ones are large, so no more are decoded ahead than one flush may hold. A flush is
limited in what it writes (a batch counts one, a pool as many as it has items), and in the bytes it stores. Those are
known only after decoding, so a decoded record that no longer fits is kept for the next flush.
"""

from collections import deque
from collections.abc import Sequence

from consumer.core.decode import DECODES, Decode
from consumer.core.flush import Decoded, Flush
from consumer.core.records import Record
from schemas.coordinates import PartitionId
from schemas.records.signing import SigningKeys

# A larger record takes milliseconds to decode, and one of 8 MiB a second: it is decoded in a thread.
LARGE_BYTES = 64 * 1024
# Bytes decoded before the event loop runs other tasks.
SLICE_BYTES = 512 * 1024


class Backlog:
    """A queue that knows its bytes. `take` gives all that is ready."""

    def __init__(self, max_records: int, max_bytes: int, keys: SigningKeys, decode: Decode = DECODES["games"]) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._keys = keys
        self._decode = decode
        self._waiting: deque[Record] = deque()
        self._waiting_bytes = 0
        self._ready: list[Record] = []
        self._decoded: list[Decoded] = []
        self._ready_weight = 0
        self._ready_bytes = 0
        self._ready_stored_bytes = 0
        self._held: tuple[Record, Decoded] | None = None

    @property
    def size_bytes(self) -> int:
        """As read from the log."""
        held_bytes = len(self._held[0].value) if self._held else 0
        return self._waiting_bytes + self._ready_bytes + held_bytes

    @property
    def has_ready(self) -> bool:
        return bool(self._ready)

    @property
    def ready_weight(self) -> int:
        """Batches or items that are ready."""
        return self._ready_weight

    @property
    def oldest_millis(self) -> int | None:
        """Time of the oldest record here."""
        if self._ready:
            return self._ready[0].timestamp_millis
        return self._waiting[0].timestamp_millis if self._waiting else None

    def offer(self, records: Sequence[Record]) -> None:
        """Add records, in the order of the log."""
        self._waiting.extend(records)
        self._waiting_bytes += sum([len(record.value) for record in records])

    def decode_some(self, most: int) -> int:
        """Decode up to `most` (a pool, once begun, whole), as far as the next flush has room. Returns how many.

        Ends before a large record, which `next_large` gives.
        """
        done = size_bytes = 0
        while done < most and size_bytes < SLICE_BYTES and (record := self._next()):
            if len(record.value) > LARGE_BYTES:
                break
            size_bytes += len(record.value)
            done += self._accept(record, self._decode(record, self._keys))
        return done

    def next_large(self) -> Record | None:
        """The next record, if the flush has room and it is a large one: decode it elsewhere, and `accept` it."""
        record = self._next()
        return record if record and len(record.value) > LARGE_BYTES else None

    def accept(self, record: Record, decoded: Decoded) -> None:
        """A record that `next_large` gave, decoded. Dropped if it is not the next any more."""
        if self._waiting and self._waiting[0] is record:
            self._accept(record, decoded)

    def _next(self) -> Record | None:
        """The next record to decode, if there is room for it."""
        if not self._waiting or self._held:
            return None
        record = self._waiting[0]
        return record if self._has_room(len(record.value)) else None

    def _accept(self, record: Record, decoded: Decoded) -> int:
        """Move the next record to those that are ready. Returns its weight. `_next` found room for its own bytes."""
        self._waiting.popleft()
        size_bytes, stored_bytes = len(record.value), decoded.stored_bytes
        self._waiting_bytes -= size_bytes
        if stored_bytes <= size_bytes or self._has_room(stored_bytes):
            return self._add(record, decoded)
        self._held = (record, decoded)
        return decoded.weight

    def _add(self, record: Record, decoded: Decoded) -> int:
        """Returns its weight."""
        size_bytes, stored_bytes, weight = len(record.value), decoded.stored_bytes, decoded.weight
        self._ready.append(record)
        self._decoded.append(decoded)
        self._ready_bytes += size_bytes
        self._ready_stored_bytes += max(size_bytes, stored_bytes)
        self._ready_weight += weight
        return weight

    def _has_room(self, stored_bytes: int) -> bool:
        """A record larger than a whole flush still gets one of its own, or its partition would stop."""
        if not self._ready:
            return True
        fits = self._ready_stored_bytes + stored_bytes <= self._max_bytes
        return fits and self._ready_weight < self._max_records

    def take(self, partition: PartitionId, start: int) -> Flush | None:
        """All that is ready, as the flush from `start` on; None when nothing is."""
        if not self._ready:
            return None
        flush = Flush(partition, start, self._ready, self._decoded)
        self._empty_ready()
        if self._held:
            held, self._held = self._held, None
            self._add(*held)
        return flush

    def clear(self) -> None:
        """Forget everything: the log will be read again from the checkpoint."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self._held = None
        self._empty_ready()

    def _empty_ready(self) -> None:
        self._ready, self._decoded = [], []
        self._ready_weight = self._ready_bytes = self._ready_stored_bytes = 0
