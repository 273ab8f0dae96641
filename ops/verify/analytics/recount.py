"""The recount of items: dedupes each identity again, and compares it with its document in `events`. Pure.

Three steps: `add` every record in order; `compare` the documents; `settle`. The order of the log decides which item of
an identity counted. If the identity is in several partitions, its document is accepted if some order of them makes it
possible (verify/order.py). If records are no longer in the log, only what a document confirms is counted.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ops.verify.analytics.item_index import IndexedItem, Interned, ItemIndex, Records, by_stream
from ops.verify.analytics.pools import PoolReading
from ops.verify.analytics.titles import Titles
from ops.verify.check_requests import CLOCKS_DIFFER_MILLIS
from ops.verify.fates import Fates
from ops.verify.order import Memory, Occurrence, counted_in_some_order
from ops.verify.reading import LogRecord
from ops.verify.report import Difference, Differences, MinuteKey, Range
from schemas.analytics.items import IDENTITY_BYTES, OTHER_TITLE
from schemas.coordinates import Coordinates, parse_coordinates
from schemas.documents import actor_of, millis_of, utc


class ItemRecount:
    """Counts by minute, and the fates of the records."""

    def __init__(self, ranges: Sequence[Range], titles: Titles, window_millis: int, differences: Differences) -> None:
        self.minutes: Counter[MinuteKey] = Counter()
        self._perhaps_others: Counter[MinuteKey] = Counter()
        """Of `minutes`, items that may have counted as `(other)`: their titles were registered elsewhere."""
        self.fates = Fates(ranges, differences)
        self.unsure = 0
        """Items that may have counted in a record that the log no longer has: not compared."""
        self.beyond: dict[str, int] = {}
        """The highest offset past the ranges that a document names, by partition."""
        self._ranges = ranges
        self._streams = {one.partition: stream for stream, one in enumerate(ranges)}
        self._titles = titles
        self._window_millis = window_millis
        self._differences = differences
        self._index = ItemIndex()
        self._records = [Records() for _ in ranges]
        self._owners = Interned[str]()
        self._names = Interned[tuple[str, str]]()
        self._gone: dict[bytes, int] = {}
        """Identities whose document names a record that the log no longer has, with its time."""
        self._later: set[bytes] = set()
        """Identities whose document names a record past the ranges."""
        self._whole = all(one.whole for one in ranges)

    @property
    def is_whole(self) -> bool:
        return self._whole

    def add(self, stream: int, record: LogRecord, reading: PoolReading, stored_fate: str | None) -> None:
        """One record. `stored_fate`: its fate in MongoDB, None if that is unknown."""
        if self.fates.is_settled(stream, record.offset, reading.kind, stored_fate):
            return
        number = self._records[stream].add(record.offset, record.time_millis, len(reading.items), stored_fate)
        owner = self._owners.number(actor_of(reading.app, reading.player))
        for item in reading.items:
            title = self._names.number((reading.app, item.title))
            indexed = IndexedItem(stream, number, owner, title, item.at_millis, item.minute)
            self._index.add(bytes.fromhex(item.identity), indexed)

    # The documents.

    def oldest_millis(self) -> int | None:
        """The time of the oldest record. Older documents can't be from these records."""
        return min((records.times_millis[0] for records in self._records if records.times_millis), default=None)

    def compare(self, document: Mapping[str, Any]) -> None:
        """One document of `events`."""
        owner, _, name = document["_id"].rpartition("/")
        identity = _identity(name)
        where = _place(document.get("from"))
        stream = self._streams.get(str(where.partition_id)) if where else None
        covered = self._ranges[stream] if stream is not None else None
        if where and (covered is None or where.offset >= covered.next):
            self._note_later(identity, where)
        elif where and covered and covered.start <= where.offset < covered.first:
            if self._index.of(identity):
                received = document.get("receivedAt")
                self._gone[identity] = millis_of(received) if isinstance(received, datetime) else 0
        elif not (where and stream is not None and self._is_from(owner, identity, stream, where.offset, document)):
            found = f"from {document.get('from')}"
            self._differ(document["_id"], "from a record that holds it, or nothing", found)

    def _note_later(self, identity: bytes, where: Coordinates) -> None:
        """The document names a record after the snapshot. The checkpoints, read again, show whether it exists."""
        key = str(where.partition_id)
        self.beyond[key] = max(where.offset, self.beyond.get(key, 0))
        if self._index.of(identity):
            self._later.add(identity)

    def _is_from(self, owner: str, identity: bytes, stream: int, offset: int, document: Mapping[str, Any]) -> bool:
        records = self._records[stream]
        number = records.number_at(offset)
        found = None if number is None else self._index.mark(identity, stream, number)
        if number is None or found is None or self._owners.values[found.owner] != owner:
            return False
        expected: Mapping[str, object] = {
            "event": self._names.values[found.title][1],
            "at": utc(found.at_millis),
            "receivedAt": utc(records.times_millis[number]),
        }
        for field, value in expected.items():
            if document.get(field) != value:
                self._differ(f"{document['_id']}, {field}", _shown(value), _shown(document.get(field)))
        return True

    def unmarked(self) -> Iterator[str]:
        """`_id`s of items without a document so far."""
        for identity, items in self._index.all():
            if not self._is_elsewhere(identity) and not any(one.here for one in items):
                yield self._key(identity, items[0])

    def _is_elsewhere(self, identity: bytes) -> bool:
        return identity in self._gone or identity in self._later

    # Deciding.

    def settle(self, now_millis: int) -> None:
        """Decide what counted. Documents live longer than the window, so a younger one must exist."""
        kept_since_millis = now_millis - self._window_millis + CLOCKS_DIFFER_MILLIS
        for identity, items in self._index.all():
            if (gone_millis := self._gone.get(identity)) is not None:
                self._note_unsure(items, gone_millis)
            else:
                self._settle(identity, items, kept_since_millis)
        for stream, records in enumerate(self._records):
            self._settle_records(stream, records)
        if not self.unsure:
            self._titles.settle(self._ranges)

    def _settle(self, identity: bytes, items: list[IndexedItem], kept_since_millis: int) -> None:
        here = next((one for one in items if one.here), None)
        counted = (self._decided if self._whole else self._vouched_for)(identity, items, here)
        for one in counted:
            self._count(one)
        if here is None and not self._is_elsewhere(identity):
            missed = [one for one in counted or items if self._must_be_kept(one, kept_since_millis)]
            if missed:
                self._differ(self._key(identity, missed[-1]), f"from {self._place(missed[-1])} or a repeat", "nothing")

    def _must_be_kept(self, one: IndexedItem, kept_since_millis: int) -> bool:
        """Whether its document can't have expired yet.

        If records are missing, the item may have counted long before this record, but not before its own time.
        """
        since = self._time(one) if self._whole else min(self._time(one), one.at_millis)
        return since > kept_since_millis

    def _vouched_for(
        self, identity: bytes, items: Sequence[IndexedItem], here: IndexedItem | None
    ) -> list[IndexedItem]:
        """If records are missing, only the item that the document names is certain."""
        if here is None:
            self._note_unsure(items)
            return []
        self._ordered(identity, items, here)
        self._note_unsure(items, self._time(here))
        return [here]

    def _note_unsure(self, items: Sequence[IndexedItem], last_millis: int | None = None) -> None:
        """Items that may have counted before the last counted one. Its repeats within the window did not."""
        for one in items:
            if last_millis is None or self._time(one) < last_millis - self._window_millis:
                self.unsure += 1
                self._records[one.stream].note(one.record, Records.UNSURE)

    def _decided(self, identity: bytes, items: list[IndexedItem], here: IndexedItem | None) -> list[IndexedItem]:
        """What counts if the log is complete."""
        if len({one.stream for one in items}) > 1:
            return self._ordered(identity, items, here)
        counted = self._in_this_order(items)
        if here and here != counted[-1]:
            self._differ(self._key(identity, here), f"from {self._place(counted[-1])}", f"from {self._place(here)}")
        return counted

    def _ordered(self, identity: bytes, items: Sequence[IndexedItem], here: IndexedItem | None) -> list[IndexedItem]:
        """An order that the document allows. If there is none, that is a difference, and the present order is used."""
        by_place = {(one.stream, one.record): one for one in items}
        streams = [[self._occurrence(one) for one in stream] for stream in by_stream(items)]
        last = self._occurrence(here) if here else None
        found = counted_in_some_order(streams, self._window_millis, Memory(unknown=not self._whole), last)
        if found is not None:
            return [by_place[one.stream, one.offset] for one in found]
        places = ", ".join(map(self._place, items))
        expected = f"counted once in {self._window_millis // 1000} s, by one of {places}"
        self._differ(self._key(identity, items[0]), expected, f"from {self._place(here)}" if here else "nothing")
        return self._in_this_order(items)

    def _in_this_order(self, items: Sequence[IndexedItem]) -> list[IndexedItem]:
        counted: list[IndexedItem] = []
        for one in items:
            if not counted or self._time(one) - self._time(counted[-1]) > self._window_millis:
                counted.append(one)
        return counted

    def _occurrence(self, one: IndexedItem) -> Occurrence:
        """The record's number stands for its offset: both have the same order."""
        applied = one.here or self._records[one.stream].items_counted(one.record)
        return Occurrence(one.stream, one.record, self._time(one), applied)

    def _count(self, one: IndexedItem) -> None:
        self._records[one.stream].note(one.record, Records.APPLIED)
        app, title = self._names.values[one.title]
        where = parse_coordinates(self._place(one))
        counted = self._titles.counted(app, title, where, self._time(one))
        key = (self._ranges[one.stream].partition, app, counted.name, one.minute)
        self.minutes[key] += 1
        if not counted.sure:
            self._perhaps_others[key] += 1
        tally = self.fates.tallies[one.stream]
        tally.items = (tally.items or 0) + 1

    def minutes_beside(self, found: Mapping[MinuteKey, int]) -> Counter[MinuteKey]:
        """The minutes. As many uncertain items count as `(other)` as MongoDB's minutes `found` require."""
        minutes = self.minutes.copy()
        for key, most in self._perhaps_others.items():
            partition, app, _, minute = key
            others = max(0, min(most, minutes[key] - found.get(key, 0)))
            minutes[key] -= others
            minutes[partition, app, OTHER_TITLE, minute] += others
        return minutes

    def _settle_records(self, stream: int, records: Records) -> None:
        for number, offset in enumerate(records.offsets):
            stored_fate, outcome = records.stored_fate(number), records.outcome(number)
            if outcome == Records.UNSURE:
                self.fates.count(stream, stored_fate or "applied")
                continue
            fate = "applied" if outcome == Records.APPLIED else "duplicate"
            self.fates.count(stream, fate)
            if stored_fate not in (None, fate):
                self.fates.differ(stream, offset, fate, stored_fate)

    # Names.

    def _time(self, one: IndexedItem) -> int:
        return self._records[one.stream].times_millis[one.record]

    def _place(self, one: IndexedItem) -> str:
        return self.fates.place(one.stream, self._records[one.stream].offsets[one.record])

    def _key(self, identity: bytes, one: IndexedItem) -> str:
        return f"{self._owners.values[one.owner]}/{identity.hex()}"

    def _differ(self, where: str, expected: str, found: str) -> None:
        self._differences.add(Difference("events", where, expected, found))


def _identity(name: str) -> bytes:
    """The identity in the last part of an `_id`; empty if it is not one."""
    try:
        identity = bytes.fromhex(name)
    except ValueError:
        return b""
    return identity if len(identity) == IDENTITY_BYTES and identity.hex() == name else b""


def _place(where: object) -> Coordinates | None:
    try:
        return parse_coordinates(where) if isinstance(where, str) else None
    except ValueError:
        return None


def _shown(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
