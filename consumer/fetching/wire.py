"""Decodes the records of a batch of format 2, one by one. Pure. Varints are zigzag, as protobuf's, unlike KIP-482's.

aiokafka's decoder raises if a header name is not UTF-8, and copies every value. This one does neither.
"""

from schemas.records.headers import name_of

# Five bytes hold an int32, ten an int64.
_MAX_VARINT_BYTES = 10

# A record with more headers is dead (record.py). Of its headers one more than this are read.
MAX_HEADERS = 256


class CannotRead(ValueError):
    """The bytes are no record. The message quotes none of them."""


class FlawedRecord(ValueError):
    """A record that can't be decoded, but its end is known, so records after it may be."""


class Cursor:
    """The position, and the parts of the last record. Of a record that can't be read: the parts before the error."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0
        self._forget()

    def _forget(self) -> None:
        self.key: bytes | None = None
        self.value: memoryview | None = None
        self.value_bytes = 0
        self.record = self._data[:0]
        self.headers: list[tuple[str, bytes | None]] = []

    def skip_record(self) -> None:
        """Skip the next record without decoding it. Raises CannotRead."""
        self._at = self._end()

    def next_record(self) -> tuple[int, int]:
        """Offset and time of the next record, as deltas. Raises CannotRead, FlawedRecord."""
        self._forget()
        start, end = self._at, self._end()
        try:
            return self._record(end)
        except CannotRead as error:
            self._at = end
            raise FlawedRecord(str(error)) from error
        finally:
            self.record = self._data[start:end]

    def _end(self) -> int:
        """Read the length of the next record, and return where it ends. Raises CannotRead."""
        length = self._varint()
        end = self._at + length
        if length < 0:
            raise CannotRead("a length is negative")
        if end > len(self._data):
            self._record(end)  # so that key and value are kept, if they are complete
            raise CannotRead("a record is cut off")
        return end

    def _record(self, end: int) -> tuple[int, int]:
        self._at += 1  # attributes: none are defined
        time_delta, offset_delta = self._varint(), self._varint()
        key = self._bytes()
        self.key = None if key is None else bytes(key)
        self.value = self._value()
        count = self._varint()
        if count < 0:
            raise CannotRead("a number of headers is negative")
        for _ in range(min(count, MAX_HEADERS + 1)):
            name, value = self._bytes(), self._bytes()
            if name is None:
                raise CannotRead("a header has no name")
            self.headers.append((name_of(bytes(name)), None if value is None else bytes(value)))
        if count > MAX_HEADERS:
            self._at = end
        if self._at != end:
            raise CannotRead("a record has another length than it says")
        return offset_delta, time_delta

    def _value(self) -> memoryview | None:
        """Of a value that is cut off, `value` has what there is."""
        self.value_bytes = self._varint()
        if self.value_bytes < 0:
            self.value_bytes = 0
            return None
        self.value = self._data[self._at : self._at + self.value_bytes]
        return self._taken(self.value_bytes)

    def _bytes(self) -> memoryview | None:
        length = self._varint()
        return None if length < 0 else self._taken(length)

    def _taken(self, length: int) -> memoryview:
        if self._at + length > len(self._data):
            raise CannotRead("a record is cut off")
        self._at += length
        return self._data[self._at - length : self._at]

    def _varint(self) -> int:
        number = shift = 0
        for byte in self._data[self._at : self._at + _MAX_VARINT_BYTES]:
            self._at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 the bit that says more follows
                return (number >> 1) ^ -(number & 1)
            shift += 7
        raise CannotRead("a number is cut off")
