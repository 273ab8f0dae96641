"""Taking over and releasing a partition: its checkpoint names the owner and the owner's session."""

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
from consumer.mongo.stored import checkpoint_of
from consumer.mongo.transactions import Document
from schemas.checkpoints import fresh_checkpoint
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS
from serving.mongodb.client import codes_of, why

log = structlog.get_logger()

# A claim waits so long for a lock on the checkpoint.
CLAIM_MILLIS = 1_000

# A claim fails if its session is killed meanwhile. The next try uses a new session.
CLAIM_TRIES = 3


async def claim(
    database: AsyncDatabase[Document], sessions: Sessions, partition: PartitionId, owner: str
) -> Checkpoint:
    """End the last owner's transaction, then write this owner into the checkpoint. Raises Unavailable."""
    for tries_left in reversed(range(CLAIM_TRIES)):
        try:
            return await _claim_once(database, sessions, partition, owner)
        except PyMongoError as error:
            # This session may have been killed.
            sessions.drop(partition)
            if not (tries_left and INTERRUPTED_CODE in codes_of(error)):
                raise unavailable(error) from error
    raise AssertionError("the last try returns or raises")


async def _claim_once(
    database: AsyncDatabase[Document], sessions: Sessions, partition: PartitionId, owner: str
) -> Checkpoint:
    """Kill the last owner's session first: its open transaction may have locked the checkpoint.

    The update is bounded in time. A transaction that the last owner begins in between makes it fail, and the next try
    kills that one too.
    """
    checkpoints = database.get_collection(CHECKPOINTS, read_concern=ReadConcern("majority"))
    key = {"_id": str(partition)}
    session = sessions.of(partition)
    update: Document = {
        "$set": {"owner": owner, "lsid": sessions.lsid(partition), "uid": await sessions.uid()},
        "$unset": {"stopped": ""},
        "$currentDate": {"updatedAt": True},
        "$setOnInsert": fresh_checkpoint(0),
    }
    left = await checkpoints.find_one(key, {"lsid": 1, "uid": 1}, session=session)
    await sessions.kill_left(partition, LeftSession.of(left))
    found = await checkpoints.find_one_and_update(
        key, update, upsert=True, return_document=ReturnDocument.AFTER, maxTimeMS=CLAIM_MILLIS, session=session
    )
    return checkpoint_of(partition, found)


async def release(database: AsyncDatabase[Document], sessions: Sessions, partition: PartitionId) -> None:
    """End the session and remove its id from the checkpoint, so that the next owner has none to kill."""
    left = await sessions.release(partition)
    if left is None:
        return
    key: dict[str, Any] = {"_id": str(partition), "lsid": left.lsid}
    try:
        with pymongo.timeout(RELEASE_SECONDS):
            await database[CHECKPOINTS].update_one(key, {"$unset": {"lsid": "", "uid": ""}})
    except PyMongoError as error:
        log.info("session_left_in_checkpoint", partition=str(partition), reason=why(error))
