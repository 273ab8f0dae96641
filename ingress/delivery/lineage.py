"""The lineage that the topic's offsets belong to: receipts and the wait for the workers name it.

It is read from MongoDB every half minute, because an operator may start a new one. While it is unknown (MongoDB has
been unavailable since the start, or no worker has started yet) the ingress accepts requests without receipt and wait.
"""

import asyncio

import structlog

from ingress.ports import LineageStore, Unavailable

log = structlog.get_logger()

REREAD_SECONDS = 30
UNKNOWN_RETRY_SECONDS = 1


class Lineage:
    """The newest lineage of one topic; None while unknown."""

    def __init__(self, store: LineageStore, topic: str) -> None:
        self._store = store
        self.topic = topic
        self.current: str | None = None
        self.was_read = False
        """Whether MongoDB has answered once; there may have been no lineage."""

    async def read(self) -> None:
        """Read it once. If MongoDB is unavailable the last one stays."""
        try:
            newest = await self._store.newest_lineage(self.topic)
        except Unavailable:
            return
        self.was_read = True
        if newest is not None and newest != self.current:
            log.info("lineage_read", lineage=newest, topic=self.topic)
            self.current = newest

    async def run(self) -> None:
        """Read it again and again, until cancelled."""
        while True:
            await self.read()
            await asyncio.sleep(UNKNOWN_RETRY_SECONDS if self.current is None else REREAD_SECONDS)
