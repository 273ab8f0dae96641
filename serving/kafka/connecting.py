"""How a client of aiokafka connects: to several brokers at once, once to each, until the broker leaves the cluster.

aiokafka connects under one lock. So while it connects to a frozen broker, which takes as long as a request may, it
connects to no other. Its callers wait for that connection even when the partitions have other leaders. A caller that
is cancelled meanwhile leaves an open socket behind. So here a task makes each connection, and is never cancelled.
"""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import AIOKafkaConnection

from serving.kafka.metadata import Address

Place = tuple[object, ConnectionGroup]


@dataclass(frozen=True, slots=True)
class _Connecting:
    """`ended`: callers wait no longer. The task itself may still run until its time-out."""

    address: Address | None
    task: asyncio.Task[AIOKafkaConnection | None]
    ended: asyncio.Event

    def end(self, _task: object = None) -> None:
        self.ended.set()


_of_clients: WeakKeyDictionary[AIOKafkaClient, dict[Place, _Connecting]] = WeakKeyDictionary()


def connect_side_by_side(client: AIOKafkaClient) -> None:
    """Change how this client connects."""
    connect = client._get_conn  # noqa: SLF001 its connections have no public name
    connecting = _of_clients.setdefault(client, {})

    async def connect_to(
        node: object, *, group: ConnectionGroup = ConnectionGroup.DEFAULT, no_hint: bool = False
    ) -> AIOKafkaConnection | None:
        place = (node, group)
        if place in client._conns and client._conns[place].connected():  # noqa: SLF001 the same
            return client._conns[place]  # noqa: SLF001 the same
        if place not in connecting or connecting[place].ended.is_set():
            broker = client.cluster.broker_metadata(node)
            address = (broker.host, broker.port) if broker else None
            task = asyncio.create_task(connect(node, group=group, no_hint=no_hint))
            connecting[place] = _Connecting(address, task, asyncio.Event())
            task.add_done_callback(connecting[place].end)
        attempt = connecting[place]
        await attempt.ended.wait()
        return attempt.task.result() if attempt.task.done() else None

    client._get_conn_lock_value = nullcontext()  # noqa: SLF001 the same
    client._get_conn = connect_to  # noqa: SLF001 the same


def give_up_connecting(client: AIOKafkaClient, brokers: Mapping[int, Address]) -> None:
    """Give up connecting to all but these brokers: callers are told that there is no connection."""
    for (node, _), one in _of_clients.get(client, {}).items():
        if isinstance(node, int) and one.address != brokers.get(node):
            one.end()
