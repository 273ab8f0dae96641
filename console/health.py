"""Whether MongoDB answers: asked in the background, so that /readyz says it at once and costs nothing."""

import asyncio

import structlog

from console.ports import Store, TooSlow, Unavailable

log = structlog.get_logger()

PING_SECONDS = 5
AWAY_PING_SECONDS = 1


class MongoWatch:
    """Keeps asking."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reachable = False

    async def look(self) -> None:
        """Ask once; a change is told in the log."""
        try:
            await self._store.ping()
        except (Unavailable, TooSlow) as error:
            if self.reachable:
                log.warning("mongodb_away", error=str(error))
            self.reachable = False
        else:
            if not self.reachable:
                log.info("mongodb_there")
            self.reachable = True

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(PING_SECONDS if self.reachable else AWAY_PING_SECONDS)
