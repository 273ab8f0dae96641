"""One AnalyticsEventItem: when, what, data, and the identity that registers it once (docs/rules.md, A6 to A11)."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from schemas.analytics.timestamps import timestamp_micros
from schemas.wire.values import BadValue, element_bytes, storable_bytes, utf8_bytes

OTHER_TITLE = "(other)"
"""Items with titles beyond max_titles count under this name. Clients can't send it."""

MAX_TITLE_BYTES = 256
# A byte of an NFC text comes from at most one and a half code points (U+0390: two bytes, three code points; a test
# checks all). So a longer text is refused without normalising it, which takes time quadratic in its combining marks.
MAX_SENT_TITLE_CHARACTERS: Final = MAX_TITLE_BYTES * 3 // 2
MAX_ITEM_BYTES = 256 * 1024

_has_control = re.compile(r"[\x00-\x1f\x7f-\x9f]").search  # Unicode's category Cc, which never changes

# One encoder for all items: json.dumps would make a new one for each.
_canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), check_circular=False).encode

# `Timstamp` is the document's own text.
_FIELDS = {"timestamp": "Timestamp", "timstamp": "Timestamp", "event": "Event", "data": "Data"}


class Item(NamedTuple):
    """One event. `data` and `extra` (unknown keys) as they were sent, in their order; `at_micros` since 1970 UTC.

    `canonical`: bytes that are equal for all spellings of the same event. `stored_bytes`: the size of title, data and
    extra in its document.
    """

    at_micros: int
    title: str
    data: Any
    extra: Mapping[str, Any]
    canonical: bytes
    stored_bytes: int

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
    at, title, data = timestamp_micros(known["Timestamp"]), _title(known.get("Event")), known.get("Data")
    stored_bytes = utf8_bytes(title) + _data_bytes(data)
    if extra:
        stored_bytes += element_bytes("extra", storable_bytes(extra))
    canonical = _canonical([at, title, data, extra]).encode()
    if len(canonical) > MAX_ITEM_BYTES:
        raise BadValue("", f"is larger than {MAX_ITEM_BYTES} bytes")
    return Item(at, title, data, extra, canonical, stored_bytes)


def _split(sent: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The known fields, by name without regard to case, and the others. Raises BadValue if one has two spellings."""
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


def _title(sent: object) -> str:
    if not isinstance(sent, str):
        raise BadValue("Event", "must be a string" if sent is not None else "is required")
    title = sent.strip()
    if len(title) <= MAX_SENT_TITLE_CHARACTERS and not title.isascii():
        title = unicodedata.normalize("NFC", title).strip()
    if not 0 < utf8_bytes(title) <= MAX_TITLE_BYTES:
        raise BadValue("Event", f"must have 1 to {MAX_TITLE_BYTES} bytes of UTF-8")
    if _has_control(title):
        raise BadValue("Event", "must not hold control characters")
    if title == OTHER_TITLE:
        raise BadValue("Event", f"{OTHER_TITLE} is reserved")
    return title


def _data_bytes(sent: object) -> int:
    """Size of an object, an array of objects, or nothing (A8). Raises BadValue."""
    if (
        sent is None
        or isinstance(sent, dict)
        or (isinstance(sent, list) and all(isinstance(one, dict) for one in sent))
    ):
        return storable_bytes(sent, "Data")
    raise BadValue("Data", "must be an object or an array of objects")


IDENTITY_BYTES = 16


def identity_of(*parts: bytes) -> str:
    """32 hex digits of a hash over `parts`. Lengths keep the border between two parts fixed."""
    found = hashlib.blake2b(digest_size=IDENTITY_BYTES)
    for part in parts:
        found.update(len(part).to_bytes(8) + part)
    return found.hexdigest()
