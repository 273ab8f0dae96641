"""Definitions that stand in MongoDB since a time of the test's choice; the command itself writes MongoDB's own time."""

from collections.abc import Sequence
from typing import Any

from pymongo import ReplaceOne
from pymongo.asynchronous.database import AsyncDatabase

from ops.definitions.changes import Change
from schemas.documents import DEFINITIONS


async def stand_since(db: AsyncDatabase[dict[str, Any]], found: Sequence[Change]) -> None:
    """Every definition with the times that it has in `found`."""
    documents = [change.definition.document() for change in found]
    await db[DEFINITIONS].bulk_write([ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in documents])
    await db[DEFINITIONS].update_many({}, [{"$set": {"updatedAt": "$$NOW"}}])
