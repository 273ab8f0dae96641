"""The documents of `requests`: the ids that have counted, packed, up to some hundreds of one flush in a document. Pure.

The worker stores them and looks them up, and so do `verify`, `load` and the ingress; so the packing is here.

1. A hash only finds: `keys` is a multikey index of 64-bit hashes. The whole id decides, so two ids with one hash are
   two ids.
2. `keys`, `ids`, `crcs`, `offsets` and `times` have one entry an id, all in the same order.
3. A document is inserted whole and never changed. An id that counts again, after dedupe_window, stands in a second
   document, and the newest time decides.
4. `at` is the time of the newest record, and the TTL index removes whole documents: no id expires before its time.

Why packed: with a document for each id, MongoDB's TTL monitor removes 4,000 ids a second, fewer than one worker adds
(docs/design.md, "Why it counts once").
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from typing_extensions import TypedDict

from schemas.coordinates import Coordinates, PartitionId
from schemas.documents import utc

# MongoDB and the worker read the whole document that a duplicate is in, 80 bytes an id. Measured with 250, 500, 1,000
# and 2,000 ids: inserts and expiry cost the same. 5 % old duplicates cost the worker 2, 3, 6 and 13 us more an id.
MAX_IDS = 500

# No id contains it: PLAYER_PATTERN (records/envelope.py) excludes control characters.
SEPARATOR = "\n"

# What a look-up needs. Without `keys`, a document of 500 ids is decoded in 3 us instead of 90.
LOOKUP_FIELDS: Mapping[str, int] = {"keys": 0, "at": 0}

# Selects the documents of the earlier layout: one for each id, and without `keys`. Served by the index on `keys`.
EARLIER_LAYOUT: Mapping[str, object] = {"keys": {"$exists": False}}

_FIRST_INT64 = struct.Struct("<q").unpack_from


class RequestsDocument(TypedDict):
    """`requests`, `_id` = lineage/partition/offset of its first record: ids that have counted in one flush.

    `keys`: a hash of each id. `ids`: the ids (app/player/requestId), separated by line feeds. `crcs`: CRC-32 of what
    each counted, as uint32. `offsets` and `times` (ms since 1970): where and when its record is, as int64. All binary
    fields are little-endian. `at`: the newest of `times`, with a TTL.
    """

    _id: str
    keys: list[int]
    ids: str
    crcs: bytes
    offsets: bytes
    times: bytes
    at: datetime


class StoredRequest(NamedTuple):
    """What is stored of one id: its record's time, the CRC-32 of what it counted, and its record's offset."""

    time_millis: int
    crc: int
    offset: int


def hash_of(key: str) -> int:
    """The first 8 bytes of SHA-256, as a signed little-endian integer.

    Clients choose requestIds. With a hash that is easy to invert, one client could make many ids that share a hash, and
    each of its requests would read all their documents.
    """
    (number,) = _FIRST_INT64(hashlib.sha256(key.encode()).digest())
    return int(number)


def lookup(keys: Iterable[str]) -> dict[str, Any]:
    """The query for all documents that may hold one of these ids."""
    return {"keys": {"$in": [hash_of(key) for key in keys]}}


def packed(partition: PartitionId, requests: Mapping[str, StoredRequest]) -> list[RequestsDocument]:
    """The documents that hold these ids of one flush of `partition`."""
    rest = iter(requests.items())
    return [_document(partition, dict(chunk)) for chunk in iter(lambda: list(islice(rest, MAX_IDS)), [])]


def _document(partition: PartitionId, requests: Mapping[str, StoredRequest]) -> RequestsDocument:
    times, crcs, offsets = zip(*requests.values(), strict=True)
    return {
        "_id": str(Coordinates(*partition, min(offsets))),
        "keys": [hash_of(key) for key in requests],
        "ids": SEPARATOR.join(requests),
        "crcs": struct.pack(f"<{len(crcs)}I", *crcs),
        "offsets": struct.pack(f"<{len(offsets)}q", *offsets),
        "times": struct.pack(f"<{len(times)}q", *times),
        "at": utc(max(times)),
    }


def unpacked(
    document: Mapping[str, Any], wanted: AbstractSet[str] | None = None
) -> Iterator[tuple[str, StoredRequest]]:
    """The ids of a document, or those of them that are `wanted`."""
    for place, key in enumerate(document["ids"].split(SEPARATOR)):
        if wanted is None or key in wanted:
            (crc,) = struct.unpack_from("<I", document["crcs"], 4 * place)
            (offset,) = struct.unpack_from("<q", document["offsets"], 8 * place)
            (time_millis,) = struct.unpack_from("<q", document["times"], 8 * place)
            yield key, StoredRequest(time_millis, crc, offset)


def keep_newest(found: dict[str, StoredRequest], document: Mapping[str, Any], wanted: AbstractSet[str]) -> None:
    """Add the wanted ids of a document to `found`. Of one that has counted twice the later stays."""
    for key, stored in unpacked(document, wanted):
        found[key] = max(stored, found.get(key, stored))
