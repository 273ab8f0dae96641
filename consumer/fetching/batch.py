"""One record batch as a broker sends it (magic 2). No content of a batch makes its reader raise.

    sound       all records, decoded by aiokafka
    flawed      the records before the flaw, then a dead record for each offset left (at most 1,000; then gaps)
    damaged     the checksum is wrong, because of a disk or a network, not the producer. No record is skipped

The offsets depend on the batch alone, so that a recount from any offset finds the same records.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiokafka.record.default_records import DefaultRecordBatch

from consumer.fetching.room import ROOM, UNPACK_BYTES
from consumer.fetching.unpack import CannotUnpack, Unpacked, unpack
from consumer.fetching.wire import CannotRead, Cursor, FlawedRecord

# A batch that claims more records is dead: each could have a byte or two, but costs a KiB in Python.
MAX_BATCH_RECORDS = 65_536
# The most dead letters of one flawed batch, whatever its producer wrote.
MAX_DEAD = 1_000
# What a dead letter keeps of bytes that can't be read.
KEPT_BYTES = 64 * 1024
# Up to this size aiokafka decodes the records. Larger batches are decoded here, where headers are counted before they
# are made: a header can have two bytes, but costs 64 in Python. A batch of an ingress is smaller, or has one record.
FAST_BYTES = 512 * 1024

MAGIC = 2
DAMAGED_OFFSET = 2**62
"""Above any offset, because aiokafka skips records below its position."""

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
    """A record as aiokafka takes it from a batch. `checksum`, which this format does not use, carries the flaw."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    checksum: Flaw | None = None


class Batch:
    """A batch with a complete head. It has what aiokafka uses: properties, an iterator, `next` for a control batch."""

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
        """The iterator checks it: an error in aiokafka would lose what it has drained of other partitions."""
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
            yield from self._rest(unpacked, following, done)

    def _rest(self, unpacked: Unpacked, following: int, done: int) -> Iterator[Found]:
        """The records after the first `done`. From the first one with a wrong length on, all are dead.

        Records that were read before are skipped by their lengths. Decoding them again would take quadratic time for a
        batch that is read in parts.
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
            reason = f"its batch can't be read: {error}"
            if not unpacked.whole:
                reason = f"its batch unpacks to more than {unpacked.size} bytes (a value of {cursor.value_bytes} bytes)"
            yield from self._dead(following, reason, cursor.key, cursor.value)

    def _is_in_order(self, offset: int, following: int) -> bool:
        """A broker doesn't check the offsets of an uncompressed batch. Only compaction leaves offsets out."""
        return offset == following if self._is_dense else following <= offset < self.next_offset

    def _following(self, following: int) -> int:
        """The broker's offset of a record whose own offset is wrong. Raises CannotRead if it is unknown."""
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
        offset, wrong = self.base_offset + offset_delta, None
        if not self._is_in_order(offset, following):
            offset, wrong = self._following(following), Flaw("its offset is out of order")
        is_appended = bool(self._attributes & _APPEND_TIME)
        time = self._max_time if is_appended else self._first_time + time_delta
        value = None if cursor.value is None else bytes(cursor.value)
        return Found(offset, time, int(is_appended), cursor.key, value, tuple(cursor.headers), wrong)

    def _dead(
        self, following: int, reason: str, key: bytes | None = None, value: memoryview | None = None
    ) -> Iterator[Found]:
        """A dead record for each offset from `following` on. Only the first keeps bytes."""
        kept = bytes(value[:KEPT_BYTES]) if value is not None else None
        for offset in range(following, min(self.next_offset, following + MAX_DEAD)):
            yield Found(offset, self._max_time, 1, key, kept, (), Flaw(reason))
            key = kept = None


def is_sound(raw: memoryview) -> bool:
    """Whether a batch is as its producer wrote it, by its checksum."""
    return bool(DefaultRecordBatch(raw).validate_crc())


def damaged(reason: str) -> Found:
    """The record at which a reader must stop."""
    return Found(DAMAGED_OFFSET, 0, 1, None, None, (), Flaw(reason, is_damage=True))


def _next(records: Iterator[Any]) -> Any:  # noqa: ANN401 aiokafka's record
    """The next record. None if there is none, or if aiokafka's decoder fails."""
    try:
        return next(records, None)
    except Exception:  # noqa: BLE001 the decoder of wire.py continues, and names the flaw
        return None
