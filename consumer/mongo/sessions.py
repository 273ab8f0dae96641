"""One MongoDB session for each partition, which the next owner of the partition kills.

A worker that dies leaves its transaction open on the server, with every document that it wrote locked. The next owner
has been seen to wait 74 s for them. So each owner writes the id of its session into the checkpoint. The next owner
kills that session when it takes over, and again if a flush has met conflicts for some time: the old owner may have been
frozen and have begun another transaction.

- A session belongs to a MongoDB user, and an id alone means a session of the user who kills it. So the owner writes its
  user's digest beside the id. Killing another user's session needs the privilege killAnySession.
- A session that a checkpoint names never goes back to the client's pool. From there other calls of this process would
  get it, and the next owner would kill them.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

# A conflict between two running owners is over in milliseconds.
CONFLICT_SECONDS = 1.0

# The release of a partition delays its next owner, which can kill the session too.
RELEASE_SECONDS = 2.0

GRANT = '{resource: {cluster: true}, actions: ["killAnySession"]}'


@dataclass(frozen=True, slots=True)
class LeftSession:
    """A session as its owner wrote it into the checkpoint. `uid`: the digest of the user; None without users."""

    lsid: Binary
    uid: bytes | None = None

    @classmethod
    def of(cls, checkpoint: Mapping[str, Any] | None) -> "LeftSession | None":
        """The session that the checkpoint names; None if the last owner has released the partition."""
        lsid = checkpoint.get("lsid") if checkpoint else None
        return cls(lsid, checkpoint.get("uid")) if checkpoint and lsid is not None else None


@dataclass(slots=True)
class _OpenSession:
    """`predecessor`: the last owner's session, as long as this one is open. `is_used`: by a flush that runs."""

    session: AsyncClientSession
    predecessor: LeftSession | None = None
    is_used: bool = False


class Sessions:
    """The sessions of one worker."""

    def __init__(self, client: AsyncMongoClient[Document]) -> None:
        self._client = client
        self._open: dict[PartitionId, _OpenSession] = {}
        self._not_allowed_logged = False

    def of(self, partition: PartitionId) -> AsyncClientSession:
        """The session for all flushes of a partition until it is released."""
        return self._opened(partition).session

    def _opened(self, partition: PartitionId) -> _OpenSession:
        if partition not in self._open:
            self._open[partition] = _OpenSession(self._client.start_session())
        return self._open[partition]

    @contextmanager
    def used(self, partition: PartitionId) -> Iterator[AsyncClientSession]:
        """The session for one flush. A release meanwhile leaves its transaction alone.

        If the release ended the transaction, the rest of the flush would be written outside of it, although the
        checkpoint did not move: its records would be counted twice.
        """
        mine = self._opened(partition)
        mine.is_used = True
        try:
            yield mine.session
        finally:
            mine.is_used = False

    def lsid(self, partition: PartitionId) -> Binary:
        """The id of the partition's session on the server."""
        found: Binary = self.of(partition).session_id["id"]
        return found

    async def uid(self) -> bytes | None:
        """The digest of this worker's MongoDB user, which SIGHUP may change. Raises PyMongoError."""
        answer = await self._client.admin.command("connectionStatus")
        return user_digest(answer["authInfo"]["authenticatedUsers"])

    async def kill_left(self, partition: PartitionId, found: LeftSession | None) -> None:
        """Kill the session found in the checkpoint, and remember it. Raises PyMongoError."""
        if found is not None and found.lsid != self.lsid(partition):
            self._open[partition].predecessor = found
            await self._kill(partition, found)

    async def kill_predecessor(self, partition: PartitionId, since: float) -> None:
        """Kill the last owner's session again if conflicts have lasted too long; `since` is monotonic seconds."""
        predecessor = mine.predecessor if (mine := self._open.get(partition)) else None
        if predecessor is not None and time.monotonic() - since > CONFLICT_SECONDS:
            await self._kill(partition, predecessor)

    async def _kill(self, partition: PartitionId, left: LeftSession) -> None:
        another_user = left.uid is not None and left.uid != await self.uid()
        # Also if it names another user: the owner's may have been changed since, at SIGHUP, to this one.
        await self._client.admin.command("killSessions", [{"id": left.lsid}])
        try:
            if another_user:
                await self._client.admin.command("killSessions", [{"id": left.lsid, "uid": left.uid}])
        except OperationFailure as error:
            if error.code != NOT_ALLOWED_CODE:
                raise
            self._warn_not_allowed(partition)
        else:
            log.info("predecessor_session_ended", partition=str(partition), of_another_user=another_user)

    def _warn_not_allowed(self, partition: PartitionId) -> None:
        """Warn once: the same holds for every partition of that owner."""
        if not self._not_allowed_logged:
            self._not_allowed_logged = True
            log.warning(
                "predecessor_session_not_ended",
                partition=str(partition),
                reason="the session is another MongoDB user's, and this worker's user may not run killSessions on it. "
                "Partitions wait until the server ends the transaction (transactionLifetimeLimitSeconds)",
                grant=GRANT,
            )

    async def release(self, partition: PartitionId) -> LeftSession | None:
        """End the session. Returns it, so that the checkpoint need not name it any more.

        None if there is no session, a flush uses it, or the server does not answer: then the next owner kills it.
        """
        released = self._open.pop(partition, None)
        if released is None or released.is_used or released.session.has_ended:
            return None
        left = LeftSession(released.session.session_id["id"])
        try:
            # Not end_session(), which would give the id back to the pool.
            if released.session.in_transaction:
                with pymongo.timeout(RELEASE_SECONDS):
                    await released.session.abort_transaction()
        except PyMongoError as error:
            log.info("session_not_ended", partition=str(partition), reason=why(error))
            return None
        return left

    def drop(self, partition: PartitionId) -> None:
        """Forget a session that may have been killed. It is not ended and does not return to the pool."""
        self._open.pop(partition, None)


def user_digest(users: list[Mapping[str, str]]) -> bytes | None:
    """The digest that the server has of a user: SHA-256 of `user@database`. None for a server without users."""
    if not users:
        return None
    (first, *_) = users
    return hashlib.sha256(f"{first['user']}@{first['db']}".encode()).digest()
