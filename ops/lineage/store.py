"""Lineages in MongoDB: the newest of a topic, and a new one, written with its checkpoints in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import Int64
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from consumer.mongo.transactions import in_transaction
from consumer.ports import TopicIdentity
from ops.server_clock import server_now
from schemas.checkpoints import LAYOUT, AcceptedLoss, LostRange, fresh_checkpoint
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS, LINEAGES

Database = AsyncDatabase[dict[str, Any]]


class StartedMeanwhile(Exception):
    """Another command has started a lineage at the same time. Nothing was written."""


@dataclass(frozen=True, slots=True)
class NewLineage:
    """A lineage to start: its topic, and the first offset of each partition."""

    topic: TopicIdentity
    generation: int
    starts: Mapping[int, int]
    reason: str
    lost: Sequence[LostRange] = ()
    """What it leaves out of the lineage before it."""
    accepted: str | None = None
    """Why the operator accepts that."""


async def newest_lineage(db: Database, topic: str) -> dict[str, Any] | None:
    return await db[LINEAGES].find_one({"topic": topic}, sort=[("generation", -1)])


async def insert_lineage(db: Database, new: NewLineage) -> str:
    """Write the lineage and a checkpoint for each partition. Returns its id. Raises StartedMeanwhile.

    If two run at once, one fails because of the lineage's `_id` and writes nothing, so no two lineages share offsets.
    """
    lineage = free_id([document["_id"] async for document in db[LINEAGES].find({}, {"_id": 1})])

    now = await server_now(db)

    async def body(session: AsyncClientSession) -> None:
        await db[LINEAGES].insert_one(lineage_document(lineage, new, now), session=session)
        checkpoints = [checkpoint_document(PartitionId(lineage, p), at, now) for p, at in sorted(new.starts.items())]
        if checkpoints:
            await db[CHECKPOINTS].insert_many(checkpoints, session=session)

    async with db.client.start_session() as session:
        try:
            await in_transaction(session, body)
        except DuplicateKeyError as error:
            raise StartedMeanwhile(lineage) from error
    return lineage


def free_id(taken: Iterable[str]) -> str:
    """`rN`, one after the highest ever used: an id must never mean two lineages."""
    return f"r{max((int(name[1:]) for name in taken if name[1:].isdigit()), default=0) + 1}"


def lineage_document(lineage: str, new: NewLineage, now: datetime) -> dict[str, Any]:
    """`from` is the lowest of the partitions' first offsets; each checkpoint's `start` is exact."""
    return {
        "_id": lineage,
        "cluster": new.topic.cluster,
        "topic": new.topic.topic,
        "topicId": new.topic.topic_id,
        "generation": new.generation,
        "from": Int64(min(new.starts.values(), default=0)),
        "reason": new.reason,
        "startedAt": now,
        "layout": LAYOUT,
        "lost": [_stored(one) for one in new.lost],
        "accepted": [] if new.accepted is None else [accepted_loss(one, new.accepted, now) for one in new.lost],
    }


def accepted_loss(lost: LostRange, reason: str, now: datetime) -> AcceptedLoss:
    return {**_stored(lost), "reason": reason, "at": now}


def _stored(lost: LostRange) -> LostRange:
    """Offsets are int64, as the worker writes them."""
    end = lost["to"]
    return {**lost, "from": Int64(lost["from"]), "to": None if end is None else Int64(end)}


async def accept(db: Database, lineage: str, losses: Iterable[LostRange], reason: str) -> None:
    """Store that an operator accepts these losses of a lineage."""
    now = await server_now(db)
    accepted = [accepted_loss(one, reason, now) for one in losses]
    await db[LINEAGES].update_one({"_id": lineage}, {"$push": {"accepted": {"$each": accepted}}})


def checkpoint_document(partition: PartitionId, start: int, now: datetime) -> dict[str, Any]:
    """A new checkpoint. Offsets are int64, as the worker writes them."""
    offsets = {"start": Int64(start), "next": Int64(start)}
    return {"_id": str(partition), **fresh_checkpoint(start), **offsets, "updatedAt": now}
