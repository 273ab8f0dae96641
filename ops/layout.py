"""Whether this version can read the database: its layout, and how the ids in `requests` are packed."""

from collections.abc import Mapping
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ops.errors import BadInput
from schemas.checkpoints import LAYOUT, NEWER_LAYOUT
from schemas.documents import LINEAGES, REQUESTS
from schemas.request_ids import EARLIER_LAYOUT
from schemas.requirements import wrong_layout, wrong_requests

Database = AsyncDatabase[dict[str, Any]]


async def wrong_layouts(db: Database) -> Mapping[str, list[str]]:
    """What is wrong, by what has it; mostly nothing."""
    if newer := await _newer(db):
        return {"layout of the database": newer}
    return {"layout of requests": earlier} if (earlier := await _earlier(db)) else {}


async def require_request_layout(db: Database) -> None:
    """Raises BadInput."""
    if problems := await _newer(db) or await _earlier(db):
        raise BadInput(problems)


async def require_no_newer_layout(db: Database) -> None:
    """Raises BadInput."""
    if problems := await _newer(db):
        raise BadInput(problems)


async def write_layout(db: Database) -> None:
    """Into the lineages of versions that wrote none. From then on an older version refuses what it can't read."""
    await db[LINEAGES].update_many({"layout": {"$exists": False}}, {"$set": {"layout": LAYOUT}})


async def _newer(db: Database) -> list[str]:
    return wrong_layout(await db[LINEAGES].find_one(NEWER_LAYOUT, {"layout": 1}))


async def _earlier(db: Database) -> list[str]:
    return wrong_requests(await db[REQUESTS].find_one(EARLIER_LAYOUT, {"_id": 1}))
