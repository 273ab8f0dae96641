"""Every item of the range, packed: about 160 bytes an identity, and 28 for each further time it was sent. Pure."""

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
    """One item in one record. `here`: the document of its identity says that it is from this record."""

    stream: int
    record: int
    owner: int
    title: int
    at_millis: int
    minute: int
    here: bool = False


class ItemIndex:
    """By identity (16 bytes)."""

    def __init__(self) -> None:
        self._packed: dict[bytes, bytes] = {}

    def add(self, identity: bytes, item: IndexedItem) -> None:
        self._packed[identity] = self._packed.get(identity, b"") + _PACKED.pack(*item)

    def of(self, identity: bytes) -> list[IndexedItem]:
        """In the order they were added."""
        return _unpacked(self._packed.get(identity, b""))

    def mark(self, identity: bytes, stream: int, record: int) -> IndexedItem | None:
        """Note that the document is from there; the item, or None where there is none."""
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
    """Countable records of one range, in order: where, when, how many items, what MongoDB says, what came of it."""

    FATES_OF_ITEMS = (None, "applied", "duplicate")
    DUPLICATE, UNSURE, APPLIED = range(3)

    def __init__(self) -> None:
        self.offsets = array("q")
        self.times_millis = array("q")
        self._items = array("I")
        self._stored_fates = bytearray()
        self._came_to = bytearray()

    def add(self, offset: int, time_millis: int, items: int, stored_fate: str | None) -> int:
        """The record's number."""
        self.offsets.append(offset)
        self.times_millis.append(time_millis)
        self._items.append(items)
        self._stored_fates.append(self.FATES_OF_ITEMS.index(stored_fate) if stored_fate in self.FATES_OF_ITEMS else 0)
        self._came_to.append(self.DUPLICATE)
        return len(self.offsets) - 1

    def number_at(self, offset: int) -> int | None:
        number = bisect_left(self.offsets, offset)
        return number if number < len(self.offsets) and self.offsets[number] == offset else None

    def stored_fate(self, number: int) -> str | None:
        return self.FATES_OF_ITEMS[self._stored_fates[number]]

    def items_counted(self, number: int) -> bool | None:
        """Whether its items counted, as far as its fate tells: one of an applied record's did."""
        if self.stored_fate(number) == "duplicate":
            return False
        return True if self.stored_fate(number) == "applied" and self._items[number] == 1 else None

    def note(self, number: int, came_to: int) -> None:
        """One of its items came to this; the one that came furthest decides."""
        self._came_to[number] = max(came_to, self._came_to[number])

    def came_to(self, number: int) -> int:
        return self._came_to[number]


class Interned(Generic[T]):
    """Each value once, and a number for it."""

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
