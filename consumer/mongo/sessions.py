"""One MongoDB session a partition, and the end of the one its last owner left behind.

A worker that dies leaves its transaction open on the server, and every document it touched locked: the next owner
was seen to wait 74 s for it. So each owner writes its session's id into the checkpoint, and the next one kills the
session it finds there: on taking over, and again when a flush has met with conflicts for a while (the old owner may
have been asleep, and begun anew).

- A session belongs to a MongoDB user. Its id alone names the session of the user who asks, so the owner writes its
  user's digest beside it. To kill another user's session takes the privilege killAnySession.
- A session that a checkpoint names never goes back to the client's pool. There its id would be given to other calls of
  this process, and the next owner would kill those.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pymongo
import structlog
from bson import Binary
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import OperationFailure, PyMongoError

from consumer.mongo.errors import NOT_ALLOWED_CODE
from consumer.mongo.transactions import Document
from schemas.coordinates import PartitionId
from serving.mongodb.client import why

log = structlog.get_logger()

# A race between two live owners is over in milliseconds.
CONFLICT_SECONDS = 1.0

# How long letting go of a partition may take: others wait for it, and the next owner can end the session, too.
RELEASE_SECONDS = 2.0

GRANT = '{resource: {cluster: true}, actions: ["killAnySession"]}'


@dataclass(frozen=True, slots=True)
class LeftSession:
    """A session as its owner wrote it into the checkpoint. `uid`: the digest of its user; None without users."""

    lsid: Binary
    uid: bytes | None = None

    @classmethod
    def of(cls, checkpoint: Mapping[str, Any] | None) -> "LeftSession | None":
        """What the checkpoint names; None where its last owner has let go of it."""
        lsid = checkpoint.get("lsid") if checkpoint else None
        return cls(lsid, checkpoint.get("uid")) if checkpoint and lsid is not None else None


@dataclass(slots=True)
class _Held:
    session: AsyncClientSession
    predecessor: LeftSession | None = None


class Sessions:
    """The sessions of one worker."""

    def __init__(self, client: AsyncMongoClient[Document]) -> None:
        self._client = client
        self._held: dict[PartitionId, _Held] = {}
        self._uid: bytes | None = None
        self._uid_known = False
        self._told_not_allowed = False

    def of(self, partition: PartitionId) -> AsyncClientSession:
        """The session for all flushes of a partition, the same until it is released."""
        if partition not in self._held:
            self._held[partition] = _Held(self._client.start_session())
        return self._held[partition].session

    def lsid(self, partition: PartitionId) -> Binary:
        """Its id on the server."""
        found: Binary = self.of(partition).session_id["id"]
        return found

    async def uid(self) -> bytes | None:
        """The digest of this worker's user, as the server has it with each session. Raises PyMongoError."""
        if not self._uid_known:
            answer = await self._client.admin.command("connectionStatus")
            self._uid = user_digest(answer["authInfo"]["authenticatedUsers"])
            self._uid_known = True
        return self._uid

    async def succeed(self, partition: PartitionId, found: LeftSession | None) -> None:
        """Kill the session found in the checkpoint, and keep its id in mind. Raises PyMongoError."""
        if found is not None and found.lsid != self.lsid(partition):
            self._held[partition].predecessor = found
            await self._kill(partition, found)

    async def kill_predecessor(self, partition: PartitionId, since: float) -> None:
        """Kill the last owner's session again if conflicts have gone on since `since` (monotonic) for too long."""
        predecessor = held.predecessor if (held := self._held.get(partition)) else None
        if predecessor is not None and time.monotonic() - since > CONFLICT_SECONDS:
            await self._kill(partition, predecessor)

    async def _kill(self, partition: PartitionId, left: LeftSession) -> None:
        if any(left.lsid == self.lsid(held) for held in self._held):
            return
        another_user = left.uid is not None and left.uid != await self.uid()
        named = {"id": left.lsid, "uid": left.uid} if another_user else {"id": left.lsid}
        try:
            await self._client.admin.command("killSessions", [named])
        except OperationFailure as error:
            if error.code != NOT_ALLOWED_CODE:
                raise
            self._tell_not_allowed(partition)
        else:
            log.info("predecessor_session_ended", partition=str(partition), of_another_user=another_user)

    def _tell_not_allowed(self, partition: PartitionId) -> None:
        """Once: every partition of that owner meets with the same."""
        if not self._told_not_allowed:
            self._told_not_allowed = True
            log.warning(
                "predecessor_session_not_ended",
                partition=str(partition),
                reason="it is another MongoDB user's, and this worker's user may not run killSessions on it. Partitions"
                " wait until the server ends the transaction (transactionLifetimeLimitSeconds)",
                grant=GRANT,
            )

    async def release(self, partition: PartitionId) -> LeftSession | None:
        """End the session: what a checkpoint may name. Where the server can't be told, the next owner kills it."""
        held = self._held.pop(partition, None)
        if held is None or held.session.has_ended:
            return None
        left = LeftSession(held.session.session_id["id"])
        try:
            # Not end_session(): it gives the id back to the pool.
            if held.session.in_transaction:
                with pymongo.timeout(RELEASE_SECONDS):
                    await held.session.abort_transaction()
        except PyMongoError as error:
            log.info("session_not_ended", partition=str(partition), reason=why(error))
            return None
        return left

    def drop(self, partition: PartitionId) -> None:
        """Forget a session that is in use, or may have been killed: it is neither ended nor given back to the pool."""
        self._held.pop(partition, None)


def user_digest(users: list[Mapping[str, str]]) -> bytes | None:
    """As the server makes it: SHA-256 of `user@database`. None for a server without users."""
    if not users:
        return None
    (first, *_) = users
    return hashlib.sha256(f"{first['user']}@{first['db']}".encode()).digest()
