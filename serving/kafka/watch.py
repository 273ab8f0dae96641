"""What the cluster looks like now, for clients of aiokafka that would not find out by themselves.

aiokafka asks for metadata only the brokers that its last metadata named, one after the other, and waits for a frozen
one as long as a request may take. So when all those it knows have gone, it never asks the bootstrap addresses again;
and when one is frozen, its clients hear late of the new leaders. Here the broker that answered last is asked every
second, and as soon as it is silent all known addresses at once; the answer is given to the clients. Connections to
brokers that are no longer part of the cluster, or have moved, are closed, and those that are being made given up: the
requests that wait there are sent to the new leader.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import CloseReason
from aiokafka.protocol.metadata import MetadataResponse_v1

from schemas.settings import KafkaSettings
from serving.kafka.bootstrap import KeptConnection, first_answer
from serving.kafka.connecting import give_up_connecting
from serving.kafka.words import NotReached, UnusableFile
from serving.outage import Outage

# A new leader is known this much later, and a leader takes its partitions over within some ten seconds
# (broker.session.timeout.ms is 9 s by default).
LOOK_SECONDS = 1.0

# The broker that answered last is asked alone for so long; it answers within milliseconds.
KEPT_SECONDS = 1.0

Clients = Callable[[], Iterable[AIOKafkaClient]]


class KafkaWatch:
    """Looks at the cluster every LOOK_SECONDS, and passes what it sees on to the clients there are.

    One for all of a process: whoever has clients names them with `follow`, and calls `look` or `run`.
    """

    def __init__(self, kafka: KafkaSettings, outage: Outage) -> None:
        self._kafka = kafka
        self.outage = outage
        self._followers: dict[str, Clients] = {}
        self._looking = asyncio.Lock()
        self._due = 0.0
        self._kept: KeptConnection | None = None
        self._known: Collection[tuple[str, int]] = ()
        self.reached = False

    def follow(self, topic: str, clients: Clients) -> None:
        """Pass on what is seen to these clients, which use this topic."""
        self._followers[topic] = clients

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await self.close()

    async def look(self) -> None:
        """Ask once; nothing where another has asked since the last time that this was due."""
        async with self._looking:
            if time.monotonic() < self._due:
                return
            # A little less, so that whoever sleeps for LOOK_SECONDS does not wake up too early.
            self._due = time.monotonic() + 0.9 * LOOK_SECONDS
            await self._look()

    async def close(self) -> None:
        """Close the connection that is kept. The next look makes another."""
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept.close()

    async def _look(self) -> None:
        try:
            answer = await self._answer()
        except (NotReached, UnusableFile) as error:
            self.reached = False
            self.outage.lost("cluster", str(error))
            return
        self.reached = True
        self._known = [(broker[1], broker[2]) for broker in answer.brokers]
        for clients in self._followers.values():
            for client in clients():
                teach(client, answer)
        self.outage.back("cluster")

    async def _answer(self) -> MetadataResponse_v1:
        """Of the broker that answered last, or of the first that answers. Raises NotReached, UnusableFile."""
        topics = list(self._followers)
        if self._kept is not None:
            try:
                return await self._kept.metadata(self._kafka, topics, KEPT_SECONDS)
            except Exception:  # noqa: BLE001 its cause is found when it is asked again, with the others
                self._kept = None
        address, answer = await first_answer(self._kafka, topics, self._known)
        self._kept = KeptConnection(address)
        return answer


def teach(client: AIOKafkaClient, answer: MetadataResponse_v1) -> None:
    """Give a client the cluster's metadata, as if it had asked for it, and close what leads nowhere any more."""
    if not answer.brokers:
        return
    client.cluster.update_metadata(answer)
    now = {broker.nodeId: (broker.host, broker.port) for broker in client.cluster.brokers()}
    for (node, _), connection in list(client._conns.items()):  # noqa: SLF001 its connections have no public name
        if isinstance(node, int) and now.get(node) != (connection.host, connection.port):
            connection.close(reason=CloseReason.CONNECTION_TIMEOUT)
    give_up_connecting(client, now)
