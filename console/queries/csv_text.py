"""Counts as CSV (RFC 4180, text/csv), and whether a client prefers it to JSON. Pure.

A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@` as a formula, and clients choose the titles of events.
So such an event gets a `'` in front, at its start and after each `;`, because some spreadsheets split there too. An
event that has a `'` in such a place gets a second one, so a program that removes one `'` in each of these places has
the event as it is.
"""

import re
from collections.abc import Iterable
from datetime import tzinfo
from typing import Final

from console.queries.rows import Row
from console.queries.zones import shown_in

CSV_TYPE: Final = b"text/csv; charset=utf-8; header=present"
_HEADER: Final = "at,event,count"

# With their full-width forms, which spreadsheets read as the same characters.
_FORMULA: Final = re.compile("(^|[;\t\r\n])(?=[\t\r'=+\\-@\uff1d\uff0b\uff0d\uff20])")

_CSV, _JSON = ("text", "csv"), ("application", "json")
_MAX_RANGES = 50


def csv_of(rows: Iterable[Row], zone: tzinfo) -> bytes:
    """One line for each row after the header line, all with CRLF."""
    lines = [_HEADER, *(f"{shown_in(zone, row.at_millis)},{_quoted(row.event)},{row.count}" for row in rows), ""]
    return "\r\n".join(lines).encode(errors="replace")


def _quoted(event: str) -> str:
    return '"' + _FORMULA.sub(r"\1'", event).replace('"', '""') + '"'


def prefers_csv(accept: bytes | None) -> bool:
    """Whether an Accept header (RFC 9110, section 12.5.1) prefers CSV. Without one, or in doubt, it is JSON."""
    if not accept or (b"csv" not in accept.lower() and b"text/" not in accept.lower()):
        return False
    ranges = [_media_range(text) for text in accept.decode("latin-1").split(",")[:_MAX_RANGES]]
    return _weight(ranges, _CSV) > _weight(ranges, _JSON)


def _media_range(text: str) -> tuple[str, str, float]:
    """Type, subtype and weight; the weight is 0 if it cannot be read."""
    media, *parameters = (part.strip().lower() for part in text.split(";"))
    kind, _, subtype = media.partition("/")
    weight = next((one[2:] for one in parameters if one.startswith("q=")), "1")
    return kind, subtype, float(weight) if re.fullmatch(r"[01](\.[0-9]{0,3})?", weight) else 0


def _weight(ranges: Iterable[tuple[str, str, float]], media: tuple[str, str]) -> float:
    """The weight of the most specific range that contains a media type."""
    kind, subtype = media
    patterns = {(kind, subtype): 2, (kind, "*"): 1, ("*", "*"): 0}
    found = [(patterns[one[:2]], one[2]) for one in ranges if one[:2] in patterns]
    return max(found, default=(0, 0.0))[1]
