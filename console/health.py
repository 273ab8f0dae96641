"""Whether MongoDB answers: asked in the background, so that /readyz says it at once and costs nothing."""

import asyncio

from console.ports import Store, TooSlow, Unavailable
from serving.outage import Outage

PING_SECONDS = 5
AWAY_PING_SECONDS = 1


class MongoWatch:
    """Keeps asking."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._outage = Outage("mongodb")
        self.reachable = False

    async def look(self) -> None:
        """Ask once; an outage is told in the log."""
        try:
            await self._store.ping()
        except (Unavailable, TooSlow) as error:
            self._outage.lost("ping", str(error))
            self.reachable = False
        else:
            self._outage.back("ping")
            self.reachable = True

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(PING_SECONDS if self.reachable else AWAY_PING_SECONDS)
