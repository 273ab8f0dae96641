"""One MongoDB session a partition, and the end of the one its last owner left behind.

A worker that dies leaves its transaction open on the server, and every document it touched locked: the next owner
was seen to wait 74 s for it. So each owner writes its session's id into the checkpoint, and the next one kills the
session it finds there: on taking over, and again when a flush has met with conflicts for a while (the old owner may
have been asleep, and begun anew).
"""

import time
from dataclasses import dataclass

import structlog
from bson import Binary
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import PyMongoError

from consumer.transactions import Document
from schemas.coordinates import PartitionId

log = structlog.get_logger()

# A race between two live owners is over in milliseconds.
CONFLICT_SECONDS = 1.0


@dataclass(slots=True)
class _Held:
    session: AsyncClientSession
    predecessor: Binary | None = None


class Sessions:
    """The sessions of one worker."""

    def __init__(self, client: AsyncMongoClient[Document]) -> None:
        self._client = client
        self._held: dict[PartitionId, _Held] = {}

    def of(self, partition: PartitionId) -> AsyncClientSession:
        """The session for all flushes of a partition, the same until it is released."""
        if partition not in self._held:
            self._held[partition] = _Held(self._client.start_session())
        return self._held[partition].session

    def lsid(self, partition: PartitionId) -> Binary:
        """Its id on the server."""
        found: Binary = self.of(partition).session_id["id"]
        return found

    async def succeed(self, partition: PartitionId, found: Binary | None) -> None:
        """Kill the session found in the checkpoint, and keep its id in mind. Raises PyMongoError."""
        if found is not None and found != self.lsid(partition):
            self._held[partition].predecessor = found
            await self._kill(partition, found)

    async def kill_predecessor(self, partition: PartitionId, since: float) -> None:
        """Kill the last owner's session again if conflicts have gone on since `since` (monotonic) for too long."""
        predecessor = held.predecessor if (held := self._held.get(partition)) else None
        if predecessor is not None and time.monotonic() - since > CONFLICT_SECONDS:
            await self._kill(partition, predecessor)

    async def _kill(self, partition: PartitionId, lsid: Binary) -> None:
        log.info("killing the last owner's session", partition=str(partition))
        await self._client.admin.command("killSessions", [{"id": lsid}])

    async def release(self, partition: PartitionId) -> None:
        """End the session. The server is told when it can be; otherwise the next owner kills it."""
        if held := self._held.pop(partition, None):
            try:
                await held.session.end_session()
            except PyMongoError as error:
                log.info("session not ended", partition=str(partition), error=repr(error))

    def drop(self, partition: PartitionId) -> None:
        """Forget a session that is in use: ending it now would be a second command in its transaction."""
        self._held.pop(partition, None)
