"""A record that can't be read or stored, and the documents that are kept of it. Any such record can be kept.

A MongoDB document holds at most 16 MiB. A record that is larger once decompressed is cut, and kept with its size and
its hash: it can be inspected and told apart from others, but not produced again.
"""

import hashlib
from dataclasses import dataclass
from typing import ClassVar, Final

from consumer.core.reasons import short
from consumer.core.records import Record
from schemas.coordinates import Coordinates, PartitionId
from schemas.documents import DeadLetterDocument, ExceptionDocument, utc

# Together below the 16 MiB of a document. Any body within the default limits is kept whole.
MAX_VALUE_BYTES: Final = 12 * 1024 * 1024
MAX_HEADERS_BYTES: Final = 1024 * 1024
MAX_KEY_BYTES: Final = 64 * 1024
# What is kept of a value that is too large.
CUT_VALUE_BYTES: Final = 64 * 1024
# Of a header beside its text: BSON's types, lengths and indexes.
_HEADER_BYTES: Final = 64

# Up to the year 9999, which is as far as dates reach; a record's time is a producer's where the topic says so.
_MAX_MILLIS: Final = 253_402_300_799_999

DeadHeaders = list[list[str | bytes | None]]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record without an owner, without a valid body, or that can't be stored: it is dead, for `reason`.

    `bug`: reading it raised an unexpected error, so a developer should look.
    """

    record: Record
    reason: str
    bug: bool = False

    # As Decoded asks for them.
    weight: ClassVar = 1
    stored_bytes: ClassVar = 0
    received_millis: ClassVar = None


def dead_exception(dead: Unreadable, partition: PartitionId) -> ExceptionDocument:
    """The entry of `exceptions` that says a record's fate."""
    return {
        "_id": str(Coordinates(*partition, dead.record.offset)),
        "fate": "dead",
        "cause": short(dead.reason),
        "app": None,
        "player": None,
        "requestId": None,
        "at": utc(_storable_millis(dead.record)),
    }


def dead_letter(dead: Unreadable, partition: PartitionId) -> DeadLetterDocument:
    """The record itself: whole, or as much of it as a document holds."""
    record = dead.record
    headers = _headers(record)
    key = record.key[:MAX_KEY_BYTES] if record.key is not None else None
    is_large = len(record.value) > MAX_VALUE_BYTES
    letter: DeadLetterDocument = {
        "_id": str(Coordinates(*partition, record.offset)),
        "value": record.value[:CUT_VALUE_BYTES] if is_large else record.value,
        "headers": headers,
        "key": key,
        "reason": short(dead.reason),
        "at": utc(_storable_millis(record)),
    }
    if is_large or key != record.key or len(headers) < len(record.headers):
        letter["cut"] = {
            "bytes": len(record.value),
            "sha256": hashlib.sha256(record.value).hexdigest(),
            "headers": len(record.headers),
        }
    return letter


def _headers(record: Record) -> DeadHeaders:
    """The first headers that fit. A name that can't be encoded is written with escapes."""
    kept: DeadHeaders = []
    size = 0
    for name, value in record.headers:
        written = name.encode(errors="backslashreplace").decode()
        size += 4 * len(written) + len(value or b"") + _HEADER_BYTES
        if size > MAX_HEADERS_BYTES:
            break
        kept.append([written, value])
    return kept


def _storable_millis(record: Record) -> int:
    return min(max(record.timestamp_millis, 0), _MAX_MILLIS)
