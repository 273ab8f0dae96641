"""Whether MongoDB answers. A background task pings it, so that /readyz answers at once and costs MongoDB nothing."""

import asyncio

from console.ports import Store, TooSlow, Unavailable
from serving.outage import Outage

PING_SECONDS = 5
AWAY_PING_SECONDS = 1


class MongoWatch:
    """Pings MongoDB until cancelled."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._outage = Outage("mongodb")
        self.reachable = False

    async def look(self) -> None:
        """Ping once. The log has one line when MongoDB is lost and one when it is back."""
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
