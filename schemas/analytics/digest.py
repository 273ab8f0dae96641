"""A short hash of an item's content, to distinguish two items with the same requestId and position (A11)."""

import hashlib

from schemas.analytics.items import Item

# An int64 in MongoDB. A client that makes collisions harms only itself: its own items are not distinguished.
DIGEST_BYTES = 8


def digest_of(item: Item) -> int:
    """An int64 over the canonical content, which is equal for all spellings of the same event."""
    return int.from_bytes(hashlib.blake2b(item.canonical, digest_size=DIGEST_BYTES).digest(), signed=True)
