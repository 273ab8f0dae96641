"""What the cluster looks like now, for clients of aiokafka that would not find out by themselves.

aiokafka asks for metadata only the brokers that its last metadata named, one after the other, and waits for a frozen
one as long as a request may take. So when all those it knows have gone, it never asks the bootstrap addresses again;
and when one is frozen, its clients hear late of the new leaders. Here all known addresses are asked at once over new
connections, and the first answer is given to the client. Connections to brokers that are no longer part of the
cluster, or have moved, are closed: the requests that wait there are sent to the new leader.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.protocol.metadata import MetadataResponse_v1

from schemas.settings import KafkaSettings
from serving.kafka_bootstrap import Address, first_answer
from serving.kafka_words import NotReached, UnusableFile
from serving.outage import Outage

# A new leader is known this much later, and a leader takes its partitions over within some ten seconds
# (broker.session.timeout.ms is 9 s by default).
LOOK_SECONDS = 2.0


class KafkaWatch:
    """Looks at the cluster every LOOK_SECONDS, and passes what it sees on to the clients there are.

    `part` names whom it does so for, in the outage's account.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        clients: Callable[[], Iterable[AIOKafkaClient]],
        outage: Outage,
    ) -> None:
        self._kafka = kafka
        self._topic = topic
        self._clients = clients
        self._outage = outage
        self._part = f"cluster of {topic}"
        self._answered: Address | None = None
        self._known: Collection[Address] = ()
        self.reached = False

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Ask once."""
        try:
            self._answered, answer = await first_answer(self._kafka, (self._topic,), self._answered, self._known)
        except (NotReached, UnusableFile) as error:
            self.reached = False
            self._outage.lost(self._part, str(error))
            return
        self.reached = True
        self._known = [(broker[1], broker[2]) for broker in answer.brokers]
        for client in self._clients():
            teach(client, answer)
        self._outage.back(self._part)


def teach(client: AIOKafkaClient, answer: MetadataResponse_v1) -> None:
    """Give a client the cluster's metadata, as if it had asked for it, and close what leads nowhere any more."""
    if not answer.brokers:
        return
    client.cluster.update_metadata(answer)
    for (node, _), connection in list(client._conns.items()):  # noqa: SLF001 its connections have no public name
        if isinstance(node, int) and not _leads_to(client, node, connection):
            connection.close(reason=CloseReason.CONNECTION_TIMEOUT)


def _leads_to(client: AIOKafkaClient, node: int, connection: AIOKafkaConnection) -> bool:
    broker = client.cluster.broker_metadata(node)
    return broker is not None and (broker.host, broker.port) == (connection.host, connection.port)
