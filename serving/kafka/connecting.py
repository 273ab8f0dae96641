"""How a client of aiokafka connects: to several brokers at once, once to each, and no longer than the broker is there.

aiokafka has one lock for all: while it connects to a frozen broker, for as long as a request may take, it connects to
no other; and what waits for that connection waits on when the cluster has given the broker up and its partitions have
other leaders. And who gives up while it connects would leave an open socket behind.
"""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import AIOKafkaConnection

Place = tuple[object, ConnectionGroup]
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Connecting:
    """`ended`: whoever waits for the connection need wait no longer. The task itself ends by its time-out."""

    address: Address | None
    task: asyncio.Task[AIOKafkaConnection | None]
    ended: asyncio.Event


_of_clients: WeakKeyDictionary[AIOKafkaClient, dict[Place, _Connecting]] = WeakKeyDictionary()


def connect_side_by_side(client: AIOKafkaClient) -> None:
    """Let a client connect so."""
    connect = client._get_conn  # noqa: SLF001 its connections have no public name
    connecting = _of_clients.setdefault(client, {})

    async def connect_to(
        node: object, *, group: ConnectionGroup = ConnectionGroup.DEFAULT, no_hint: bool = False
    ) -> AIOKafkaConnection | None:
        ours = (node, group)
        if ours in client._conns and client._conns[ours].connected():  # noqa: SLF001 the same
            return client._conns[ours]  # noqa: SLF001 the same
        if ours not in connecting or connecting[ours].ended.is_set():
            task = asyncio.create_task(connect(node, group=group, no_hint=no_hint))
            connecting[ours] = _begin(_address(client, node), task)
        mine = connecting[ours]
        await mine.ended.wait()
        return mine.task.result() if mine.task.done() else None

    client._get_conn_lock_value = nullcontext()  # noqa: SLF001 the same
    client._get_conn = connect_to  # noqa: SLF001 the same


def _address(client: AIOKafkaClient, node: object) -> Address | None:
    broker = client.cluster.broker_metadata(node)
    return (broker.host, broker.port) if broker else None


def _begin(address: Address | None, task: asyncio.Task[AIOKafkaConnection | None]) -> _Connecting:
    made = _Connecting(address, task, asyncio.Event())
    task.add_done_callback(lambda _task: made.ended.set())
    return made


def give_up_connecting(client: AIOKafkaClient, brokers: Mapping[int, Address]) -> None:
    """To all but these brokers: to whoever waits for it, the connection could not be made."""
    for (node, _), one in _of_clients.get(client, {}).items():
        if isinstance(node, int) and one.address != brokers.get(node):
            one.ended.set()
