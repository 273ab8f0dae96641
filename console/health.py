"""Whether MongoDB answers. A background task pings it, so that /readyz replies at once and sends MongoDB nothing."""

import asyncio

from console.ports import Store, TooSlow, Unavailable
from serving.outage import Outage

PING_SECONDS = 5
# Sooner, so that the console is ready soon after MongoDB is back.
LOST_PING_SECONDS = 1


class MongoWatch:
    """Pings MongoDB until cancelled."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._outage = Outage("mongodb")
        self.reachable = False

    async def check(self) -> None:
        """Ping once. An outage has two lines in the log: when MongoDB is lost, and when it is back."""
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
            await self.check()
            await asyncio.sleep(PING_SECONDS if self.reachable else LOST_PING_SECONDS)
