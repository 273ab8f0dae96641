"""What must not be in MongoDB after a soak: a client's data in reasons, and dead letters of accepted records."""

from collections.abc import AsyncIterator
from typing import Any

from ops.load.check import Database
from schemas.documents import CHECKPOINTS, DEAD_LETTERS, EXCEPTIONS
from schemas.records.signing import SigningKeys
from tests.soak.json_texts import CANARY

REASONS = ((CHECKPOINTS, "stopped"), (DEAD_LETTERS, "reason"), (EXCEPTIONS, "cause"))
SIGNED = ("ce_id", "ce_source", "ce_time")
# As many as a report can use.
MOST_NAMED = 5


async def wrong_documents(db: Database, keys: SigningKeys) -> list[str]:
    return [problem async for problem in _told(db)] + [problem async for problem in _accepted_and_dead(db, keys)]


async def _told(db: Database) -> AsyncIterator[str]:
    for collection, field in REASONS:
        if count := await db[collection].count_documents({field: {"$regex": CANARY}}):
            yield f"{collection}: {count} reasons hold a customer's data"


async def _accepted_and_dead(db: Database, keys: SigningKeys) -> AsyncIterator[str]:
    """What an ingress has signed it has answered with 200: that can be stored (B10)."""
    found = [letter async for letter in db[DEAD_LETTERS].find() if is_signed(letter, keys)]
    if found:
        reasons = sorted({letter["reason"][:200] for letter in found})
        yield f"{len(found)} accepted records are dead letters: {reasons[:MOST_NAMED]}"


def is_signed(letter: dict[str, Any], keys: SigningKeys) -> bool:
    """Whether an ingress has written the record of a dead letter."""
    headers = {str(name): bytes(value) for name, value in letter["headers"] if value is not None}
    judged, _, mac = headers.get("judged", b"").rpartition(b".")
    parts = (judged, *(headers.get(name, b"") for name in SIGNED), bytes(letter.get("value") or b""))
    return keys.verifies(parts, mac)
