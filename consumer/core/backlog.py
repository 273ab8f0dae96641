"""Records of one partition between the log and a flush: waiting (raw), then ready (decoded).

Raw records are small, decoded ones are not: so only as many are decoded ahead as one flush may hold. A flush is
measured in what it writes: a batch is one, a pool as many as it has items.
"""

from collections import deque
from collections.abc import Sequence

from consumer.core.decode import Decode, Decoded, decode
from consumer.core.plan import Flush
from consumer.core.pools import Pool
from consumer.core.records import Record
from schemas.coordinates import PartitionId
from schemas.signing import SigningKeys


class Backlog:
    """A queue that knows its bytes. `take` gives all that is ready."""

    def __init__(self, max_records: int, max_bytes: int, keys: SigningKeys, decode: Decode = decode) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._keys = keys
        self._decode = decode
        self._waiting: deque[Record] = deque()
        self._waiting_bytes = 0
        self._ready: list[tuple[Record, Decoded]] = []
        self._ready_size = 0
        self._ready_bytes = 0

    @property
    def size_bytes(self) -> int:
        return self._waiting_bytes + self._ready_bytes

    @property
    def has_ready(self) -> bool:
        return bool(self._ready)

    @property
    def oldest_millis(self) -> int | None:
        """Time of the oldest record here."""
        if self._ready:
            return self._ready[0][0].timestamp_millis
        return self._waiting[0].timestamp_millis if self._waiting else None

    def offer(self, records: Sequence[Record]) -> None:
        """Add records, in the order of the log."""
        self._waiting.extend(records)
        self._waiting_bytes += sum(record.size_bytes for record in records)

    def decode_some(self, most: int) -> int:
        """Decode up to `most` (a pool, once begun, whole), as far as the next flush has room. Returns how many."""
        done = 0
        while done < most and self._waiting and self._has_room(self._waiting[0]):
            record = self._waiting.popleft()
            self._waiting_bytes -= record.size_bytes
            decoded = self._decode(record, self._keys)
            self._ready.append((record, decoded))
            self._ready_bytes += record.size_bytes
            size = _size_of(decoded)
            self._ready_size += size
            done += size
        return done

    def _has_room(self, record: Record) -> bool:
        """A record larger than a whole flush still gets one of its own, or its partition would stand still."""
        if not self._ready:
            return True
        return self._ready_size < self._max_records and self._ready_bytes + record.size_bytes <= self._max_bytes

    def take(self, partition: PartitionId, start: int) -> Flush | None:
        """All that is ready, as the flush from `start` on; None when nothing is."""
        if not self._ready:
            return None
        records, decoded = zip(*self._ready, strict=True)
        self._ready, self._ready_size, self._ready_bytes = [], 0, 0
        return Flush(partition, start, records, decoded)

    def clear(self) -> None:
        """Forget everything: the log will be read again from the checkpoint."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self._ready, self._ready_size, self._ready_bytes = [], 0, 0


def _size_of(decoded: Decoded) -> int:
    return max(1, len(decoded.items)) if isinstance(decoded, Pool) else 1
