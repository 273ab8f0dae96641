"""Whether the ids in `requests` are packed as this version reads them (schemas/request_ids.py)."""

from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ops.errors import BadInput
from ops.init.finding import Finding
from schemas.documents import REQUESTS
from schemas.request_ids import EARLIER_LAYOUT
from schemas.requirements import wrong_requests


async def request_layout(db: AsyncDatabase[dict[str, Any]]) -> list[Finding]:
    """What is wrong; mostly nothing."""
    return [Finding("layout of requests", "wrong", problem) for problem in await _problems(db)]


async def require_request_layout(db: AsyncDatabase[dict[str, Any]]) -> None:
    """Raises BadInput."""
    if problems := await _problems(db):
        raise BadInput(problems)


async def _problems(db: AsyncDatabase[dict[str, Any]]) -> list[str]:
    return wrong_requests(await db[REQUESTS].find_one(EARLIER_LAYOUT, {"_id": 1}))
