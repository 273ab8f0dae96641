"""The sums in MongoDB after a load of batches, read when all accepted batches are visible."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern

from ops.load.plan import Batch, Sums
from ops.load.send import Outcomes
from schemas.documents import PERIOD_COUNTS, PLAYERS, REQUESTS, app_and_player, owned_by, request_key
from schemas.request_ids import SEPARATOR, lookup, unpacked
from schemas.windows import counts_by_window

Database = AsyncDatabase[dict[str, Any]]

POLL_SECONDS = 0.2

# A record's time is by Kafka's clock, the begin of a load by MongoDB's.
CLOCKS_DIFFER = timedelta(hours=1)


async def wait_visible(
    db: Database, app: str, batches: int, timeout_seconds: float, since: datetime | None = None
) -> float:
    """Wait until this number of batches of the app is stored, or the time-out. Returns the seconds waited."""
    return await wait_until(lambda: stored_batches(db, app, since), batches, timeout_seconds)


async def stored_batches(db: Database, app: str, since: datetime | None) -> int:
    """How many ids of an app are stored, of records since then.

    No index leads to the ids of an app: without `since`, the whole collection is read.
    """
    recent = [] if since is None else [{"$match": {"at": {"$gte": since - CLOCKS_DIFFER}}}]
    lines = {"$concat": [SEPARATOR, "$ids"]}
    of_the_app = {"$subtract": [{"$size": {"$split": [lines, f"{SEPARATOR}{app}/"]}}, 1]}
    stages: list[dict[str, Any]] = [*recent, {"$group": {"_id": None, "ids": {"$sum": of_the_app}}}]
    requests = db.get_collection(REQUESTS, read_concern=ReadConcern("majority"))
    found = await (await requests.aggregate(stages)).to_list()
    return int(found[0]["ids"]) if found else 0


async def wait_until(count: Callable[[], Awaitable[int]], wanted: int, timeout_seconds: float) -> float:
    """Wait until so many are there, or the time-out. Returns the seconds waited."""
    start = time.monotonic()
    while time.monotonic() - start < timeout_seconds:
        if await count() >= wanted:
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
    wanted = {request_key(app, batch.player, batch.request_id)}
    return any([one async for document in db[REQUESTS].find(lookup(wanted)) for one in unpacked(document, wanted)])


async def found_sums(db: Database, app: str, since: datetime | None = None) -> Sums:
    """The stored sums, by majority read. The app has had no batch before `since`."""
    sums = Sums()
    majority = ReadConcern("majority")
    sums.batches = await stored_batches(db, app, since)
    async for player in db.get_collection(PLAYERS, read_concern=majority).find(owned_by(app)):
        for event, count in player["totals"].items():
            sums.players[app_and_player(player["_id"])[1], event] += count
    async for hour in db.get_collection(PERIOD_COUNTS, read_concern=majority).find({"app": app}):
        for minute, count in counts_by_window(hour):
            sums.minutes[minute, hour["event"]] += count
    return sums
