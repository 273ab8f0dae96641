"""What stored ids and items cost on disk: checks of `tallymill doctor`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ops.config import Settings
from ops.doctor.check import Check
from schemas import requirements
from schemas.documents import EVENTS, REQUESTS

# Bytes of one stored requestId on disk with its index entries, used while there are too few to measure. Measured with
# ids of 45 characters, 500 in a document.
REQUEST_BYTES = 70
ENOUGH_REQUESTS = 10_000
# Documents whose ids are counted; the others have as many on average.
SAMPLED_DOCUMENTS = 100

# Bytes of one stored item on disk with its index entries, used while there are too few items to measure. Measured with
# documents of 300 bytes (bench/pools.py).
EVENT_BYTES = 170
ENOUGH_EVENTS = 10_000

DAY_SECONDS = 86_400
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredRequests:
    """The collection `requests`: how many ids it holds, and its size on disk with indexes."""

    ids: int
    disk_bytes: int


async def stored_requests(db: AsyncDatabase[dict[str, Any]]) -> StoredRequests:
    if REQUESTS not in await db.list_collection_names():
        return StoredRequests(0, 0)
    documents, disk_bytes = await _size(db, REQUESTS)
    ids = {"$avg": {"$size": {"$ifNull": ["$keys", []]}}}
    stages: list[dict[str, Any]] = [{"$sample": {"size": SAMPLED_DOCUMENTS}}, {"$group": {"_id": None, "ids": ids}}]
    sampled = await (await db[REQUESTS].aggregate(stages)).to_list()
    return StoredRequests(round(documents * sampled[0]["ids"]) if sampled else 0, disk_bytes)


async def _size(db: AsyncDatabase[dict[str, Any]], collection: str) -> tuple[int, int]:
    """The documents of a collection, and its bytes on disk with indexes. It must exist: $collStats fails otherwise."""
    stats = await (await db[collection].aggregate([{"$collStats": {"storageStats": {}}}])).to_list()
    sizes = [one["storageStats"] for one in stats]  # one of each shard
    return sum(one["count"] for one in sizes), sum(one["storageSize"] + one["totalIndexSize"] for one in sizes)


def cost_check(settings: Settings, stored: StoredRequests) -> Check:
    """The cost of the dedupe window: ids a day x bytes."""
    days = requirements.remembered_seconds(settings.kafka, settings.limits) / DAY_SECONDS
    each_bytes = stored.disk_bytes / stored.ids if stored.ids >= ENOUGH_REQUESTS else REQUEST_BYTES
    return Check(
        "dedupe",
        "ok",
        f"window {settings.limits.dedupe_window_seconds} s; about {stored.ids} ids stored, each for {days:g} days, "
        f"of {each_bytes:,.0f} bytes: {each_bytes * 1_000_000 * days / MIB:,.0f} MiB for every million batches a day",
    )


@dataclass(frozen=True, slots=True)
class StoredEvents:
    """The collection `events`: its size on disk with indexes, and the age of its oldest document."""

    documents: int
    disk_bytes: int
    oldest_seconds: float


async def stored_events(db: AsyncDatabase[dict[str, Any]]) -> StoredEvents:
    if EVENTS not in await db.list_collection_names():
        return StoredEvents(0, 0, 0)
    documents, disk_bytes = await _size(db, EVENTS)
    oldest = await db[EVENTS].find_one({}, {"receivedAt": 1}, sort=[("receivedAt", 1)])
    return StoredEvents(
        documents=documents,
        disk_bytes=disk_bytes,
        oldest_seconds=(datetime.now(UTC) - oldest["receivedAt"]).total_seconds() if oldest else 0,
    )


def events_check(settings: Settings, stored: StoredEvents) -> Check:
    """The cost of stored items: documents a day x bytes x days."""
    days = requirements.known_seconds(settings.kafka, settings.limits, "analytics") / DAY_SECONDS
    is_enough = stored.documents >= ENOUGH_EVENTS
    each_bytes = stored.disk_bytes / stored.documents if is_enough else EVENT_BYTES
    a_day = stored.documents / max(1.0, stored.oldest_seconds / DAY_SECONDS)
    return Check(
        "events",
        "ok",
        f"{stored.documents} items stored, each for {days:g} days. A repeat within that time is a duplicate. "
        f"About {a_day:,.0f} a day x {each_bytes:,.0f} bytes: {a_day * each_bytes * days / MIB:,.0f} MiB at this rate, "
        f"{each_bytes * 1_000_000 * days / MIB:,.0f} MiB for every million items a day",
    )
