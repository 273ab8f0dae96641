"""The sums in MongoDB after a load of batches, read when all accepted batches are visible."""

import asyncio
import time
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern

from ops.load.plan import Batch, Sums
from ops.load.send import Outcomes
from schemas.documents import PERIOD_COUNTS, PLAYERS, REQUESTS, app_and_player, owned_by, request_key
from schemas.windows import counts_by_window

Database = AsyncDatabase[dict[str, Any]]

POLL_SECONDS = 0.2


async def wait_visible(db: Database, app: str, batches: int, timeout_seconds: float) -> float:
    """Wait until this number of batches of the app is stored, or the time-out. Returns the seconds waited."""
    return await wait_documents(db, REQUESTS, app, batches, timeout_seconds)


async def wait_documents(db: Database, collection: str, app: str, count: int, timeout_seconds: float) -> float:
    """Wait until the app has this number of documents in a collection, or the time-out. Returns the seconds waited."""
    start = time.monotonic()
    while time.monotonic() - start < timeout_seconds:
        if await db[collection].count_documents(owned_by(app)) >= count:
            break
        await asyncio.sleep(POLL_SECONDS)
    return time.monotonic() - start


async def expected_sums(db: Database, app: str, outcomes: Outcomes) -> Sums:
    """The expected sums: every answered batch, and those unanswered batches that are stored."""
    sums = Sums()
    for batch in outcomes.answered.values():
        sums.add(batch)
    for batch in outcomes.unknown.values():
        if batch.request_id not in outcomes.answered and await _is_stored(db, app, batch):
            sums.add(batch)
    return sums


async def _is_stored(db: Database, app: str, batch: Batch) -> bool:
    return await db[REQUESTS].find_one({"_id": request_key(app, batch.player, batch.request_id)}) is not None


async def found_sums(db: Database, app: str) -> Sums:
    """The stored sums, by majority read."""
    sums = Sums()
    majority = ReadConcern("majority")
    sums.batches = await db.get_collection(REQUESTS, read_concern=majority).count_documents(owned_by(app))
    async for player in db.get_collection(PLAYERS, read_concern=majority).find(owned_by(app)):
        for event, count in player["totals"].items():
            sums.players[app_and_player(player["_id"])[1], event] += count
    async for hour in db.get_collection(PERIOD_COUNTS, read_concern=majority).find({"app": app}):
        for minute, count in counts_by_window(hour):
            sums.minutes[minute, hour["event"]] += count
    return sums
