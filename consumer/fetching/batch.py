"""Reads one record batch as a broker sends it (magic 2). Nothing in a batch can stop its reader.

    sound       all its records, by aiokafka's own decoder
    flawed      records up to the flaw; then a dead one for each offset that is left (1,000 at most, the rest are gaps)
    damaged     its checksum is wrong: not its producer's doing, but a disk's or a network's. Nothing is passed over

The offsets of what is found depend on the batch alone, so that a recount from anywhere finds the same.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiokafka.record.default_records import DefaultRecordBatch

from consumer.fetching.room import ROOM, UNPACK_BYTES
from consumer.fetching.unpack import CannotUnpack, Unpacked, unpack
from consumer.fetching.wire import CannotRead, Cursor, FlawedRecord

# A batch with more records is set aside: each could be a byte or two long, and takes a KiB in Python.
MAX_BATCH_RECORDS = 65_536
# Dead letters of one flawed batch, however many records it claims to hold.
MAX_DEAD = 1_000
# What is kept of bytes that can't be read, for those who inspect the dead letter.
KEPT_BYTES = 64 * 1024
# Batches up to this size are read by aiokafka's decoder. Larger ones by our own, which counts headers before it
# makes them: a header of two bytes takes 64 in Python. Batches of an ingress are smaller, or hold one record.
FAST_BYTES = 512 * 1024

MAGIC = 2
DAMAGED_OFFSET = 2**62
"""Greater than any offset, because aiokafka skips records below its position."""

_HEAD = struct.Struct(">qiibIhiqqqhii")
HEAD_BYTES = _HEAD.size
_ATTRIBUTES_AT = 21
_CODEC_BITS, _APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a record could not be decoded, or not whole."""

    reason: str
    is_damage: bool = False


class Found(NamedTuple):
    """A record as aiokafka takes it from a batch. `checksum`, which this format does not have, carries the flaw."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    checksum: Flaw | None = None


class Batch:
    """A batch with a whole head. What aiokafka asks of one: properties, an iterator, `next` for a control batch."""

    def __init__(self, raw: memoryview, position: int = 0) -> None:
        self._raw = raw
        self._position = position
        head = _HEAD.unpack_from(raw)
        self.base_offset, self._magic, self._attributes = head[0], head[3], head[5]
        self._span, self._first_time, self._max_time = head[6], head[7], head[8]
        self.producer_id, self._count = head[9], head[12]
        self.is_transactional = bool(self._attributes & _TRANSACTIONAL)
        self.is_control_batch = bool(self._attributes & _CONTROL)
        self.next_offset = self.base_offset + self._span + 1
        self.is_damaged = False
        self._is_dense = self._count == self._span + 1

    def validate_crc(self) -> bool:
        """Done by the iterator. If this failed, aiokafka would lose what it has drained of other partitions."""
        return True

    def __next__(self) -> Any:  # noqa: ANN401 aiokafka's record
        return next(DefaultRecordBatch(self._raw))

    def __iter__(self) -> Iterator[Any]:
        if not is_sound(self._raw):
            self.is_damaged = True
            return iter((damaged(f"the batch at offset {self.base_offset} is damaged: its checksum is wrong"),))
        if self._count > MAX_BATCH_RECORDS:
            reason = f"its batch holds {self._count} records, more than {MAX_BATCH_RECORDS}"
            return self._dead(self.base_offset, reason, value=self._raw)
        try:
            unpacked = self._unpacked()
        except CannotUnpack as error:
            return self._dead(self.base_offset, f"its batch can't be unpacked: {error}", value=self._raw)
        return self._records(unpacked)

    def _unpacked(self) -> Unpacked:
        codec = self._attributes & _CODEC_BITS
        if not codec:
            return Unpacked(self._raw, len(self._raw) - HEAD_BYTES, whole=True)
        room = ROOM.get()
        found = unpack(codec, self._raw[HEAD_BYTES:], room.unpack_limit if room else UNPACK_BYTES, HEAD_BYTES)
        if room:
            room.unpacked_left -= found.size
        found.buffer[:HEAD_BYTES] = self._raw[:HEAD_BYTES]
        struct.pack_into(">h", found.buffer, _ATTRIBUTES_AT, self._attributes & ~_CODEC_BITS)
        return found

    def _records(self, unpacked: Unpacked) -> Iterator[Any]:
        following, done = self.base_offset, 0
        if unpacked.whole and unpacked.size <= FAST_BYTES:
            records = iter(DefaultRecordBatch(unpacked.buffer[: HEAD_BYTES + unpacked.size]))
            while (record := _next(records)) and self._is_in_order(record.offset, following):
                following, done = record.offset + 1, done + 1
                yield record
        if done < self._count:
            yield from self._patiently(unpacked, following, done)

    def _patiently(self, unpacked: Unpacked, following: int, done: int) -> Iterator[Found]:
        """The records after the first `done`, as far as their lengths are right; then what is left of the batch.

        Records that the reader has had already are skipped by their lengths: to read them again and again would take
        quadratic time.
        """
        cursor = Cursor(unpacked.buffer[HEAD_BYTES : HEAD_BYTES + unpacked.size])
        try:
            read = max(done, self._position - self.base_offset if self._is_dense else 0)
            for number in range(min(read, self._count)):
                cursor.skip_record()
                following = max(following, self.base_offset + number + 1) if self._is_dense else following
            for _ in range(read, self._count):
                found = self._next_found(cursor, following)
                following = found.offset + 1
                yield found
        except CannotRead as error:
            yield from self._dead(following, self._reason(unpacked, cursor, error), cursor.key, cursor.value)

    def _is_in_order(self, offset: int, following: int) -> bool:
        """Brokers don't check the offsets in an uncompressed batch. Only compaction leaves offsets out."""
        return offset == following if self._is_dense else following <= offset < self.next_offset

    def _following(self, following: int) -> int:
        """The offset that the broker counts for a record whose own is wrong. Raises CannotRead if it is unknown."""
        if not self._is_dense:
            raise CannotRead("an offset is out of order")
        return following

    def _next_found(self, cursor: Cursor, following: int) -> Found:
        """The next record, with its flaw if it has one. Raises CannotRead."""
        try:
            offset_delta, time_delta = cursor.next_record()
        except FlawedRecord as error:
            kept, flaw = bytes(cursor.record[:KEPT_BYTES]), Flaw(f"it can't be read: {error}")
            return Found(self._following(following), self._max_time, 1, cursor.key, kept, (), flaw)
        offset, time, wrong = self.base_offset + offset_delta, self._first_time + time_delta, None
        if not self._is_in_order(offset, following):
            offset, wrong = self._following(following), Flaw("its offset is out of order")
        return self._found(offset, time, cursor, wrong)

    def _found(self, offset: int, created: int, cursor: Cursor, flaw: Flaw | None) -> Found:
        is_appended = bool(self._attributes & _APPEND_TIME)
        value = cursor.value if cursor.value is None else bytes(cursor.value)
        headers = tuple(cursor.headers)
        time = self._max_time if is_appended else created
        return Found(offset, time, int(is_appended), cursor.key, value, headers, flaw)

    def _reason(self, unpacked: Unpacked, cursor: Cursor, error: CannotRead) -> str:
        if unpacked.whole:
            return f"its batch can't be read: {error}"
        return f"its batch unpacks to more than {unpacked.size} bytes (a value of {cursor.value_bytes} bytes)"

    def _dead(
        self, following: int, reason: str, key: bytes | None = None, value: memoryview | None = None
    ) -> Iterator[Found]:
        """A dead record for each offset from `following` on. Only the first has a key and a value."""
        kept = bytes(value[:KEPT_BYTES]) if value is not None else None
        for offset in range(following, min(self.next_offset, following + MAX_DEAD)):
            yield Found(offset, self._max_time, 1, key, kept, (), Flaw(reason))
            key = kept = None


def is_sound(raw: memoryview) -> bool:
    """Whether a batch is as its producer wrote it, by its checksum."""
    return bool(DefaultRecordBatch(raw).validate_crc())


def damaged(reason: str) -> Found:
    """The mark at which a reader must stop."""
    return Found(DAMAGED_OFFSET, 0, 1, None, None, (), Flaw(reason, is_damage=True))


def _next(records: Iterator[Any]) -> Any:  # noqa: ANN401 aiokafka's record
    """The next record. None if there is none, or if aiokafka's decoder fails."""
    try:
        return next(records, None)
    except Exception:  # noqa: BLE001 our own decoder continues from here, and says what is wrong
        return None
