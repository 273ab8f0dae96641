"""Checks that each requestId of the ranges is stored as it must be. Pure.

`requests` is read after the totals, so an id may by then name a record past the ranges. It is never removed early.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ops.verify.reading import LogRecord, Reading
from ops.verify.report import Difference, Differences, Range
from ops.verify.request_index import RequestIndex
from schemas.coordinates import parse_coordinates
from schemas.documents import utc

# MongoDB removes expired documents by its own clock, which may differ from this machine's by up to this.
CLOCKS_DIFFER_MILLIS = 300_000


class RequestCheck:
    """Compares each counted or duplicate record with what is stored of its id."""

    def __init__(
        self, ranges: Sequence[Range], retention_millis: int, window_millis: int, now_millis: int, to: Differences
    ) -> None:
        self._ranges = ranges
        self._oldest_duplicate_millis = now_millis - retention_millis + CLOCKS_DIFFER_MILLIS
        self._oldest_applied_millis = self._oldest_duplicate_millis - window_millis
        self._differences = to
        self._missing: set[str] = set()
        self._elsewhere: dict[str, str] = {}

    def check(
        self, stream: int, record: LogRecord, reading: Reading, stored_fate: str, document: Mapping[str, Any] | None
    ) -> None:
        """One countable record, its stored fate, and what is stored of its id."""
        applied = stored_fate == "applied"
        place = f"{self._ranges[stream].partition}/{record.offset}"
        if document is None:
            self._check_missing(reading.request, place, record.time_millis, applied=applied)
        elif document["from"] == place:
            self._check_place(place, reading.request, document["at"], record.time_millis, applied=applied)
        elif applied:
            self._elsewhere[reading.request] = document["from"]

    def _check_missing(self, request: str, place: str, time_millis: int, *, applied: bool) -> None:
        kept = time_millis > (self._oldest_applied_millis if applied else self._oldest_duplicate_millis)
        if kept and request not in self._missing:
            self._missing.add(request)
            self._differences.add(Difference("requests", request, f"stored, from {place} or a repeat", "nothing"))

    def _check_place(self, place: str, request: str, at: datetime, time_millis: int, *, applied: bool) -> None:
        if not applied:
            self._differences.add(Difference("requests", request, "from a record that counted", f"from {place}"))
        elif at != utc(time_millis):
            self._differences.add(Difference("requests", request, f"at {utc(time_millis)}", f"at {at}"))

    def settle(self, requests: RequestIndex) -> None:
        """An id that names another record must name one that counted: in the ranges, or past them."""
        for request, where in self._elsewhere.items():
            if not self._is_outside(where) and where not in self._counted(requests, request):
                self._differences.add(Difference("requests", request, "from a record that counted", f"from {where}"))

    def _is_outside(self, where: str) -> bool:
        lineage, partition, offset = parse_coordinates(where)
        return not any(
            one.partition == f"{lineage}/{partition:02}" and one.first <= offset < one.next for one in self._ranges
        )

    def _counted(self, requests: RequestIndex, request: str) -> set[str]:
        return {f"{self._ranges[o.stream].partition}/{o.offset}" for o in requests.of(request) if o.applied}
