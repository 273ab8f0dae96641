"""The cluster's metadata, refreshed every second and given to all Kafka clients of a process.

aiokafka asks only the brokers that its last metadata named, one after the other, and waits for a frozen one as long as
a request may take. So a client never asks the bootstrap addresses again once all the brokers it knows are gone, and
while one of them is frozen it learns late of new leaders.

Here the broker that answered last is asked every second. If it does not answer, all known addresses are asked at once.
The answer is given to the clients. Connections to brokers that have left the cluster or have moved are closed, and so
are attempts to connect to them: the requests that wait there are sent to the new leader.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import CloseReason
from aiokafka.protocol.metadata import MetadataResponse_v1

from schemas.settings import KafkaSettings
from serving.kafka.bootstrap import connection_options, first_answer
from serving.kafka.connecting import give_up_connecting
from serving.kafka.metadata import MetadataConnection
from serving.kafka.words import NotReached, UnusableFile
from serving.outage import Outage

# A new leader is known this much later. An election itself takes some ten seconds (broker.session.timeout.ms is 9 s by
# default).
REFRESH_SECONDS = 1.0

# A broker that runs answers in milliseconds. After this the others are asked too.
LAST_BROKER_SECONDS = 1.0

Clients = Callable[[], Iterable[AIOKafkaClient]]


class KafkaWatch:
    """One for all clients of a process. `reached`: whether a broker answered the last refresh."""

    def __init__(self, kafka: KafkaSettings, outage: Outage) -> None:
        self._kafka = kafka
        self.outage = outage
        self._followers: dict[str, Clients] = {}
        self._refreshing = asyncio.Lock()
        self._due = 0.0
        self._last: MetadataConnection | None = None
        self._known: Collection[tuple[str, int]] = ()
        self.reached = False

    def follow(self, topic: str, clients: Clients) -> None:
        """Refresh these clients, which use this topic."""
        self._followers[topic] = clients

    async def run(self, step: Callable[[], Awaitable[None]] | None = None) -> None:
        """Call `step`, by default refresh(), every REFRESH_SECONDS until cancelled."""
        step = step or self.refresh
        try:
            while True:
                await step()
                await asyncio.sleep(REFRESH_SECONDS)
        finally:
            await self.close()

    async def refresh(self) -> None:
        """Refresh the metadata, unless another caller of this process has just done so."""
        async with self._refreshing:
            if time.monotonic() < self._due:
                return
            # Less than REFRESH_SECONDS, or a caller that has slept for so long might wake up too early.
            self._due = time.monotonic() + 0.9 * REFRESH_SECONDS
            try:
                metadata = await self._metadata()
            except (NotReached, UnusableFile) as error:
                self.reached = False
                self.outage.lost("cluster", str(error))
            else:
                self.reached = True
                self._known = [(broker[1], broker[2]) for broker in metadata.brokers]
                for clients in self._followers.values():
                    for client in clients():
                        update_client(client, metadata)
                self.outage.back("cluster")

    async def close(self) -> None:
        """Close the connection to the broker that answered last. The next refresh opens another."""
        last, self._last = self._last, None
        if last is not None:
            await last.close()

    async def _metadata(self) -> MetadataResponse_v1:
        """Ask the broker that answered last, then all. Raises NotReached, UnusableFile."""
        topics = list(self._followers)
        if self._last is not None:
            try:
                return await self._last.metadata(topics, LAST_BROKER_SECONDS)
            except Exception:  # noqa: BLE001 the cause is found when this broker is asked again, with the others
                self._last = None
        address, metadata = await first_answer(self._kafka, topics, self._known)
        self._last = MetadataConnection(address, connection_options(self._kafka))
        return metadata


def update_client(client: AIOKafkaClient, metadata: MetadataResponse_v1) -> None:
    """Give a client the metadata as if it had asked, and close its connections to brokers that left or moved."""
    if not metadata.brokers:
        return
    client.cluster.update_metadata(metadata)
    brokers = {broker.nodeId: (broker.host, broker.port) for broker in client.cluster.brokers()}
    for (node, _), connection in list(client._conns.items()):  # noqa: SLF001 its connections have no public name
        if isinstance(node, int) and brokers.get(node) != (connection.host, connection.port):
            connection.close(reason=CloseReason.CONNECTION_TIMEOUT)
    give_up_connecting(client, brokers)
