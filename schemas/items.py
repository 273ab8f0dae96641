"""One AnalyticsEventItem: when, what, and its data; and the identity by which it is registered once (api.md A6-A11)."""

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from schemas.documents import EPOCH
from schemas.int64 import INT64_MAX, INT64_MIN

OTHER_TITLE = "(other)"
"""What the titles past max_titles count as; nobody may send it."""

MAX_TITLE_BYTES = 256
MAX_DEPTH = 32
MAX_ITEM_BYTES = 256 * 1024

# Epochs by their magnitude: below it are seconds, milliseconds, microseconds. Seconds reach to the year 5138.
_MICROS_PER_UNIT: Final = ((Decimal(10**11), 10**6), (Decimal(10**14), 10**3), (Decimal(10**17), 1))

_is_epoch = re.compile(r"[0-9]+(\.[0-9]+)?\Z").match
_has_control = re.compile(r"[\x00-\x1f\x7f-\x9f]").search  # Unicode's category Cc, which never changes
_is_date = re.compile(r"/Date\(([0-9]{1,14})(?:[+-][0-9]{4})?\)/\Z").match

# One for all: json.dumps would make an encoder for every item.
_canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), check_circular=False).encode

# `Timstamp` is the document's own text.
_FIELDS = {"timestamp": "Timestamp", "timstamp": "Timestamp", "event": "Event", "data": "Data"}


class BadValue(ValueError):
    """Something in an item can't be taken. `field` is its name within the item, "" for the item itself."""

    def __init__(self, field: str, description: str) -> None:
        self.field = field
        self.description = description
        super().__init__(f"{field}: {description}" if field else description)


class Item(NamedTuple):
    """One event. `data` and `extra` (unknown keys) as they were sent, in their order; `at_micros` since 1970 UTC.

    `canonical`: the same bytes for the same event, however it was spelt.
    """

    at_micros: int
    title: str
    data: Any
    extra: Mapping[str, Any]
    canonical: bytes

    @property
    def at_millis(self) -> int:
        return self.at_micros // 1000


def parse_item(sent: object) -> Item:
    """Raises BadValue."""
    if not isinstance(sent, dict):
        raise BadValue("", "must be an object")
    known, extra = _split(sent)
    if "Timestamp" not in known or known["Timestamp"] is None:
        raise BadValue("Timestamp", "is required")
    at, title, data = timestamp_micros(known["Timestamp"]), _title(known.get("Event")), _data(known.get("Data"))
    check_value(extra)
    canonical = _canonical([at, title, data, extra]).encode()
    if len(canonical) > MAX_ITEM_BYTES:
        raise BadValue("", f"is larger than {MAX_ITEM_BYTES} bytes")
    return Item(at, title, data, extra, canonical)


def _split(sent: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Known fields by their names, case ignored, and the rest. Raises BadValue where one is there in two spellings."""
    known: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in sent.items():
        name = _FIELDS.get(key.lower())
        if name is None:
            extra[key] = value
        elif name in known:
            raise BadValue(name, "is there in two spellings")
        else:
            known[name] = value
    return known, extra


def timestamp_micros(sent: object) -> int:
    """Microseconds since 1970 UTC of any form that A6 names. Raises BadValue."""
    if isinstance(sent, bool) or not isinstance(sent, str | int | float):
        raise BadValue("Timestamp", "must be a string or a number")
    text = sent.strip() if isinstance(sent, str) else format(Decimal(repr(sent)), "f")
    micros = _epoch(text) if _is_epoch(text) else _written(text)
    if micros <= 0:
        raise BadValue("Timestamp", "must lie after 1970")
    return micros


def _epoch(text: str) -> int:
    value = Decimal(text)
    for limit, micros_per_unit in _MICROS_PER_UNIT:
        if value < limit:
            return int(value * micros_per_unit)
    raise BadValue("Timestamp", "is too large for microseconds since 1970")


def _written(text: str) -> int:
    """`/Date(ms)/`, or ISO 8601; without an offset it is UTC."""
    if date := _is_date(text):
        return int(date[1]) * 1000
    try:
        time = datetime.fromisoformat(text)
        return (time.replace(tzinfo=time.tzinfo or UTC) - EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise BadValue("Timestamp", "must be an epoch (s, ms or us), ISO 8601, or /Date(ms)/") from None


def _title(sent: object) -> str:
    if not isinstance(sent, str):
        raise BadValue("Event", "must be a string" if sent is not None else "is required")
    title = unicodedata.normalize("NFC", sent).strip()
    if not 0 < len(title.encode()) <= MAX_TITLE_BYTES:
        raise BadValue("Event", f"must have 1 to {MAX_TITLE_BYTES} bytes of UTF-8")
    if _has_control(title):
        raise BadValue("Event", "must not hold control characters")
    if title == OTHER_TITLE:
        raise BadValue("Event", f"{OTHER_TITLE} is reserved")
    return title


def _data(sent: object) -> object:
    """An object, an array of objects, or nothing (A8)."""
    if sent is None:
        return None
    if (isinstance(sent, list) and all(isinstance(one, dict) for one in sent)) or isinstance(sent, dict):
        check_value(sent, "Data")
    else:
        raise BadValue("Data", "must be an object or an array of objects")
    return sent


def check_value(value: object, field: str = "", depth: int = 0) -> None:
    """Raises BadValue for what MongoDB can't keep as it was sent, with its path (A9)."""
    if isinstance(value, dict | list):
        if depth == MAX_DEPTH:
            raise BadValue(field, f"is nested deeper than {MAX_DEPTH}")
        _check_inside(value, field, depth)
    elif isinstance(value, int):
        if not INT64_MIN <= value <= INT64_MAX:
            raise BadValue(field, "is beyond int64")
    elif isinstance(value, float) and not math.isfinite(value):
        raise BadValue(field, "is beyond double")


def _check_inside(value: dict[str, Any] | list[Any], field: str, depth: int) -> None:
    if isinstance(value, list):
        for i, inner in enumerate(value):
            if not isinstance(inner, str):
                check_value(inner, f"{field}[{i}]", depth + 1)
        return
    for key, inner in value.items():
        path = f"{field}.{key}" if field else key
        if "\0" in key:
            raise BadValue(path.replace("\0", "\\0"), "has a NUL in its name")
        if not isinstance(inner, str):
            check_value(inner, path, depth + 1)


IDENTITY_BYTES = 16


def identity_of(*parts: bytes) -> str:
    """32 hex digits of a hash over `parts`, which can't run into each other."""
    text = b"".join([len(part).to_bytes(8) + part for part in parts])
    return hashlib.blake2b(text, digest_size=IDENTITY_BYTES).hexdigest()
