"""A short digest of an item's content: what tells two items apart that came under one requestId and place (A11)."""

import hashlib

from schemas.analytics.items import Item

# As much as MongoDB keeps in an int64. Nobody gains by a collision: it is his own request that is not told apart.
DIGEST_BYTES = 8


def digest_of(item: Item) -> int:
    """An int64 over the canonical content: equal for the same event, however it was spelt."""
    return int.from_bytes(hashlib.blake2b(item.canonical, digest_size=DIGEST_BYTES).digest(), signed=True)
