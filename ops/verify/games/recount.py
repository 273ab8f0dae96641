"""The recount of batches: every record again, with its own dedupe and sums. Pure.

Records come partition by partition, which is one possible order of applying them. If MongoDB shows another order, it is
accepted if that order was possible (verify/order.py). Otherwise it is a difference.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ops.verify.fates import Fates
from ops.verify.order import Memory, Occurrence, is_possible
from ops.verify.reading import LogRecord, Reading
from ops.verify.report import Difference, Differences, MinuteKey, Range
from ops.verify.request_index import RequestIndex


@dataclass(frozen=True, slots=True)
class _Disputed:
    """A record whose stored fate contradicts the present order."""

    occurrence: Occurrence
    reading: Reading


class Recount:
    """Sums of counted batches. `add` every record in order, then `settle`."""

    def __init__(self, ranges: Sequence[Range], window_millis: int, differences: Differences) -> None:
        self.players: Counter[tuple[str, str]] = Counter()
        self.minutes: Counter[MinuteKey] = Counter()
        self.fates = Fates(ranges, differences)
        self.requests = RequestIndex()
        self._ranges = ranges
        self._window_millis = window_millis
        self._differences = differences
        self._memory = Memory(unknown=not all(one.whole for one in ranges))
        self._disputed: defaultdict[str, list[_Disputed]] = defaultdict(list)

    def add(self, stream: int, record: LogRecord, reading: Reading, stored_fate: str | None) -> None:
        """One record. `stored_fate`: its fate in MongoDB, None if that is unknown."""
        if not self.fates.is_settled(stream, record.offset, reading.kind, stored_fate):
            self._countable(stream, record, reading, stored_fate)

    def _countable(self, stream: int, record: LogRecord, reading: Reading, stored_fate: str | None) -> None:
        counts = self._counts_in_this_order(reading.request, record.time_millis)
        applied = stored_fate == "applied" if stored_fate in ("applied", "duplicate") else counts
        occurrence = Occurrence(stream, record.offset, record.time_millis, applied)
        self.requests.add(reading.request, occurrence)
        if applied == counts:
            self._count(stream, reading, applied=applied)
        else:
            self._disputed[reading.request].append(_Disputed(occurrence, reading))

    def _counts_in_this_order(self, request: str, time_millis: int) -> bool:
        counted: int | None = None
        for earlier in self.requests.of(request):
            if counted is None or earlier.time_millis - counted > self._window_millis:
                counted = earlier.time_millis
        return counted is None or time_millis - counted > self._window_millis

    def _count(self, stream: int, reading: Reading, *, applied: bool) -> None:
        self.fates.count(stream, "applied" if applied else "duplicate")
        if applied:
            partition = self._ranges[stream].partition
            for (event, minute), count in (reading.sums or {}).items():
                self.players[reading.actor, event] += count
                self.minutes[partition, reading.app, event, minute] += count

    def settle(self) -> None:
        """Decide the disputed records by MongoDB's fates if possible, otherwise by this order, with a difference."""
        for request, disputed in self._disputed.items():
            group = list(self.requests.of(request))
            streams = [[o for o in group if o.stream == stream] for stream in sorted({o.stream for o in group})]
            believed = is_possible(streams, self._window_millis, self._memory)
            if not believed:
                self._differences.add(self._impossible(request, group))
            for one in disputed:
                self._count(one.occurrence.stream, one.reading, applied=one.occurrence.applied == believed)

    def _impossible(self, request: str, group: Sequence[Occurrence]) -> Difference:
        applied = [self.fates.place(o.stream, o.offset) for o in group if o.applied]
        others = [self.fates.place(o.stream, o.offset) for o in group if not o.applied]
        found = f"counted at {', '.join(applied) or 'none'}" + (f", not at {', '.join(others)}" if others else "")
        return Difference("requestId", request, f"counted once in {self._window_millis // 1000} s", found)
