"""The documents of `events` and the counts in MongoDB after a load of pools."""

from collections.abc import Collection

from pymongo.read_concern import ReadConcern

from ops.load.check import Database, wait_until
from ops.load.pools import Pool, PoolSums, keys_of
from ops.load.send import Outcomes
from schemas.documents import EVENTS, PERIOD_COUNTS, owned_by
from schemas.windows import counts_by_window


async def wait_stored(db: Database, app: str, items: int, timeout_seconds: float) -> float:
    """Wait until this number of items of the app is stored, or the time-out. Returns the seconds waited."""
    return await wait_until(lambda: db[EVENTS].count_documents(owned_by(app)), items, timeout_seconds)


async def expected_pool_sums(db: Database, app: str, outcomes: Outcomes[Pool]) -> PoolSums:
    """The expected sums: every answered pool, and those unanswered pools that are stored."""
    sums = PoolSums()
    for pool in outcomes.answered.values():
        sums.add(keys_of(pool, app))
    for number, pool in outcomes.unknown.items():
        if number not in outcomes.answered and await _is_stored(db, keys := keys_of(pool, app)):
            sums.add(keys)
    return sums


async def _is_stored(db: Database, keys: Collection[str]) -> bool:
    """A pool is stored whole or not at all."""
    return await db[EVENTS].count_documents({"_id": {"$in": list(keys)}}) == len(keys)


async def found_pool_sums(db: Database, app: str) -> PoolSums:
    """The stored sums, by majority read."""
    sums, majority = PoolSums(), ReadConcern("majority")
    async for event in db.get_collection(EVENTS, read_concern=majority).find(owned_by(app), {"event": 1}):
        sums.events[event["_id"]] = event["event"]
    query = {"app": app, "source": "analytics"}
    async for hour in db.get_collection(PERIOD_COUNTS, read_concern=majority).find(query):
        for minute, count in counts_by_window(hour):
            sums.minutes[minute, hour["event"]] += count
    return sums
