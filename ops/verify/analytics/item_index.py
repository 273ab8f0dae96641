"""All items of the ranges, packed: about 160 bytes an identity, and 28 for each repeat. Pure."""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

# Stream, record (its number in the stream), owner, title, at_millis, minute, and whether its document is from here.
_PACKED = struct.Struct("<HIIIqI?")
_HERE = _PACKED.size - 1


class IndexedItem(NamedTuple):
    """One item in one record. `here`: the document of its identity names this record."""

    stream: int
    record: int
    owner: int
    title: int
    at_millis: int
    minute: int
    here: bool = False


class ItemIndex:
    """Items by identity (16 bytes)."""

    def __init__(self) -> None:
        self._packed: dict[bytes, bytes] = {}

    def add(self, identity: bytes, item: IndexedItem) -> None:
        self._packed[identity] = self._packed.get(identity, b"") + _PACKED.pack(*item)

    def of(self, identity: bytes) -> list[IndexedItem]:
        """In the order they were added."""
        return _unpacked(self._packed.get(identity, b""))

    def mark(self, identity: bytes, stream: int, record: int) -> IndexedItem | None:
        """Note that the document names this record. Returns the record's item, or None if it has none."""
        packed = bytearray(self._packed.get(identity, b""))
        found = None
        for i, one in enumerate(_unpacked(bytes(packed))):
            here = (one.stream, one.record) == (stream, record)
            packed[i * _PACKED.size + _HERE] = here
            if here:
                found = one
        if found:
            self._packed[identity] = bytes(packed)
        return found

    def all(self) -> Iterator[tuple[bytes, list[IndexedItem]]]:
        return ((identity, _unpacked(packed)) for identity, packed in self._packed.items())


def _unpacked(packed: bytes) -> list[IndexedItem]:
    return [IndexedItem(*fields) for fields in _PACKED.iter_unpack(packed)]


class Records:
    """Countable records of one range, in order: offset, time, number of items, stored fate, and outcome."""

    FATES_OF_ITEMS = (None, "applied", "duplicate")
    DUPLICATE, UNSURE, APPLIED = range(3)

    def __init__(self) -> None:
        self.offsets = array("q")
        self.times_millis = array("q")
        self._items = array("I")
        self._stored_fates = bytearray()
        self._outcome = bytearray()

    def add(self, offset: int, time_millis: int, items: int, stored_fate: str | None) -> int:
        """The record's number."""
        self.offsets.append(offset)
        self.times_millis.append(time_millis)
        self._items.append(items)
        self._stored_fates.append(self.FATES_OF_ITEMS.index(stored_fate) if stored_fate in self.FATES_OF_ITEMS else 0)
        self._outcome.append(self.DUPLICATE)
        return len(self.offsets) - 1

    def number_at(self, offset: int) -> int | None:
        number = bisect_left(self.offsets, offset)
        return number if number < len(self.offsets) and self.offsets[number] == offset else None

    def stored_fate(self, number: int) -> str | None:
        return self.FATES_OF_ITEMS[self._stored_fates[number]]

    def items_counted(self, number: int) -> bool | None:
        """Whether its items counted, if the stored fate shows it: at least one item of an applied record did."""
        if self.stored_fate(number) == "duplicate":
            return False
        return True if self.stored_fate(number) == "applied" and self._items[number] == 1 else None

    def note(self, number: int, outcome: int) -> None:
        """Note the outcome of one item. The highest outcome of its items is the record's."""
        self._outcome[number] = max(outcome, self._outcome[number])

    def outcome(self, number: int) -> int:
        return self._outcome[number]


class Interned(Generic[T]):
    """Each value once, with a number."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self._numbers: dict[T, int] = {}

    def number(self, value: T) -> int:
        if (known := self._numbers.get(value)) is None:
            known = self._numbers[value] = len(self.values)
            self.values.append(value)
        return known


def by_stream(items: Sequence[IndexedItem]) -> list[list[IndexedItem]]:
    streams = sorted({one.stream for one in items})
    return [[one for one in items if one.stream == stream] for stream in streams]
