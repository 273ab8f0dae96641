"""How much a pool makes MongoDB store: checked before it is accepted (docs/rules.md, B10), and the size of a flush.

A pool is applied whole, in one transaction. One too large for a transaction would stop its partition. It can store
many times the size of its body: mediaInfo is kept with every event, and an array of empty arrays grows sixfold.
"""

from typing import Final

from schemas.analytics.body import AnalyticsBatch
from schemas.analytics.items import IDENTITY_BYTES
from schemas.documents import event_key
from schemas.wire.int64 import INT64_MAX
from schemas.wire.values import TooLarge, element_bytes, storable_bytes, string_bytes, utf8_bytes

MAX_STORED_BYTES: Final = 24 * 1024 * 1024
"""Of one pool, ITEM_BYTES included. Measured on a mongod with a cache of 256 MB, the smallest that can be set: one
transaction takes 32 MiB by this measure, in 10,000 events or in 30, and none takes 41. Two at once pass there, three
don't; with 512 MB six do."""

ITEM_BYTES: Final = 1024
"""What an event needs in a transaction besides its document: an index entry, and perhaps a new document of
`period_counts`. With it, many small events reach the limit of the cache at the same size as few large ones."""

# `r12/03/1234567890123456789`: lineage, partition and offset of the record, at their longest.
_COORDINATES: Final = "r99999/99999/" + "9" * 19
_A_DATE: Final = INT64_MAX  # takes eight bytes, too

# One event's document without what its own request fills in, and without the parts in its item's `stored_bytes`.
_DOCUMENT_BYTES: Final = storable_bytes(
    {
        "_id": event_key("", "", "f" * 2 * IDENTITY_BYTES),
        "app": "",
        "actor": "",
        "anonymous": True,
        "at": _A_DATE,
        "event": "",
        "data": None,
        "clock": "future",
        "receivedAt": _A_DATE,
        "from": _COORDINATES,
    }
)
_DIGEST_BYTES: Final = element_bytes("digest", storable_bytes(INT64_MAX))


class TooMuchToStore(TooLarge):
    """A pool that would store more than MAX_STORED_BYTES."""


def stored_bytes(batch: AnalyticsBatch, app: str, player: str, request_id: str | None) -> int:
    """Bytes that MongoDB stores for the good events of `batch`: at least the BSON of their documents."""
    if not batch.items:
        return 0
    # App and player stand in the `_id` and in a field each.
    shared = ITEM_BYTES + _DOCUMENT_BYTES + 2 * utf8_bytes(app) + 2 * utf8_bytes(player)
    if batch.media.info is not None:
        shared += element_bytes("media", storable_bytes(batch.media.info))
    if batch.media.raw is not None:
        shared += element_bytes("mediaRaw", string_bytes(batch.media.raw))
    if request_id is not None:
        shared += element_bytes("requestId", string_bytes(request_id)) + _DIGEST_BYTES
    return len(batch.items) * shared + sum([item.stored_bytes for item in batch.items.values()])


def require_storable(size_bytes: int) -> None:
    """Raises TooMuchToStore."""
    if size_bytes > MAX_STORED_BYTES:
        raise TooMuchToStore(f"{size_bytes} bytes to store, at most {MAX_STORED_BYTES} are taken")
