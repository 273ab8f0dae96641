"""Taking a partition over in MongoDB, and letting go of it: whose name and session stand on the checkpoint."""

from typing import Any

import pymongo
import structlog
from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from consumer.core.position import Checkpoint
from consumer.mongo.errors import INTERRUPTED_CODE, unavailable
from consumer.mongo.sessions import RELEASE_SECONDS, LeftSession, Sessions
from consumer.mongo.transactions import Document
from schemas.checkpoints import fresh_checkpoint
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS
from serving.mongodb.client import codes_of, why

log = structlog.get_logger()

# How long a claim may wait for a lock on the checkpoint.
CLAIM_MILLIS = 1_000

# A session that is killed while a claim uses it takes the claim along; the next one has a session of its own.
CLAIM_TRIES = 3


async def claim(
    database: AsyncDatabase[Document], sessions: Sessions, partition: PartitionId, owner: str
) -> Checkpoint:
    """End what the last owner left open, then put our name on the checkpoint. Raises Unavailable."""
    for tries_left in reversed(range(CLAIM_TRIES)):
        try:
            return await _claim_once(database, sessions, partition, owner)
        except PyMongoError as error:
            # Whatever has become of this session, the next try has a new one.
            sessions.drop(partition)
            if not (tries_left and INTERRUPTED_CODE in codes_of(error)):
                raise unavailable(error) from error
    raise AssertionError("the last try returns or raises")


async def _claim_once(
    database: AsyncDatabase[Document], sessions: Sessions, partition: PartitionId, owner: str
) -> Checkpoint:
    """In this order: a transaction left open may have the checkpoint itself locked.

    Bounded in time, so that one begun in between is met with another try.
    """
    checkpoints = database.get_collection(CHECKPOINTS, read_concern=ReadConcern("majority"))
    key = {"_id": str(partition)}
    session = sessions.of(partition)
    ours: Document = {
        "$set": {"owner": owner, "lsid": sessions.lsid(partition), "uid": await sessions.uid()},
        "$unset": {"stopped": ""},
        "$currentDate": {"updatedAt": True},
        "$setOnInsert": fresh_checkpoint(0),
    }
    left = await checkpoints.find_one(key, {"lsid": 1, "uid": 1}, session=session)
    await sessions.succeed(partition, LeftSession.of(left))
    found = await checkpoints.find_one_and_update(
        key, ours, upsert=True, return_document=ReturnDocument.AFTER, maxTimeMS=CLAIM_MILLIS, session=session
    )
    return checkpoint_of(found)


async def let_go(database: AsyncDatabase[Document], sessions: Sessions, partition: PartitionId) -> None:
    """End the session, and take its id from the checkpoint: the next owner has nothing to kill."""
    left = await sessions.release(partition)
    if left is None:
        return
    key: dict[str, Any] = {"_id": str(partition), "lsid": left.lsid}
    try:
        with pymongo.timeout(RELEASE_SECONDS):
            await database[CHECKPOINTS].update_one(key, {"$unset": {"lsid": "", "uid": ""}})
    except PyMongoError as error:
        log.info("session_left_in_checkpoint", partition=str(partition), reason=why(error))


def checkpoint_of(found: Document | None) -> Checkpoint:
    """What a document says; a partition without one is at its beginning."""
    return Checkpoint(found["next"], found["last"]) if found else Checkpoint(0)
