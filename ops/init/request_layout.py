"""Whether this version can read the database: its layout, and how the ids in `requests` are packed."""

from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ops.errors import BadInput
from ops.init.finding import Finding
from schemas.checkpoints import LAYOUT, NEWER_LAYOUT
from schemas.documents import LINEAGES, REQUESTS
from schemas.request_ids import EARLIER_LAYOUT
from schemas.requirements import wrong_layout, wrong_requests

Database = AsyncDatabase[dict[str, Any]]


async def request_layout(db: Database) -> list[Finding]:
    """What is wrong; mostly nothing."""
    newer = [Finding("layout of the database", "wrong", problem) for problem in await _newer(db)]
    return newer or [Finding("layout of requests", "wrong", problem) for problem in await _earlier(db)]


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
