"""The coordinator: the broker that manages a group. It is searched again when it moves, and asked with a time-out.

It has its own client. When no broker has answered for a while, a new client connects to the bootstrap servers, because
aiokafka's asks only the brokers of its last metadata, and all of those may be gone.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import CloseReason
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaConnectionError, KafkaError, RequestTimedOutError
from aiokafka.protocol.api import Request, Response
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.metadata import MetadataRequest

from consumer.group.wire import Group, raise_error

# A healthy broker answers within a second. One that does not answer within this time counts as frozen, and another is
# asked. The shortest session has time for several tries.
ANSWER_SECONDS = 3.0

# Longer than a broker takes to restart, and short for an operator who waits.
SILENT_SECONDS = 10.0

_GROUP_KIND = 0

NewClient = Callable[[], Awaitable[AIOKafkaClient]]

Line = Literal["alive", "held back", "offsets"]
"""A connection to the coordinator. A broker answers the requests of a connection one by one, so heartbeats must not
queue after a request that waits until the group forms, or for a replica of the group's offsets."""


class Coordinator:
    """Asks the coordinator of one group. `new_client` makes the client, which is started here."""

    def __init__(self, new_client: NewClient, group: Group) -> None:
        self._new_client = new_client
        self._group = group
        self._client: AIOKafkaClient | None = None
        self._node: int | None = None
        self._heard = time.monotonic()
        self._lock = asyncio.Lock()

    async def ask(self, request: Request[Any], line: Line = "alive", seconds: float = ANSWER_SECONDS) -> Response:
        """The coordinator's answer. Raises KafkaError."""
        client, node = await self._find()
        try:
            return await self._send(client, node, request, line, seconds)
        except KafkaError:
            self.forget()
            raise

    def forget(self) -> None:
        """Search the coordinator again before the next request: it has moved, or does not answer."""
        self._node = None

    async def partitions(self) -> int:
        """How many partitions the group's topic has. Does not create the topic. Raises KafkaError."""
        client, node = await self._find()
        answer = await self._send(client, node, MetadataRequest([self._group.topic], allow_auto_topic_creation=False))
        (found,) = answer.topics
        raise_error(found[0])
        return len(found[-1])

    async def close(self) -> None:
        client, self._client, self._node = self._client, None, None
        if client:
            await client.close()

    async def _find(self) -> tuple[AIOKafkaClient, int]:
        async with self._lock:
            client = await self._connected()
            if self._node is None:
                # Any broker can say which one it is.
                if (node := client.get_random_node()) is None:
                    raise GroupCoordinatorNotAvailableError
                answer = await self._send(client, node, FindCoordinatorRequest(self._group.name, _GROUP_KIND))
                raise_error(answer.error_code)
                self._node = int(answer.coordinator_id)
            return client, self._node

    async def _connected(self) -> AIOKafkaClient:
        if self._client and time.monotonic() - self._heard > SILENT_SECONDS:
            await self.close()
        if self._client is None:
            client = await self._new_client()
            try:
                await client.bootstrap()
            except BaseException:
                await client.close()
                raise
            client.set_topics([self._group.topic])  # otherwise it fetches the metadata of all topics regularly
            self._client, self._heard = client, time.monotonic()
        return self._client

    async def _send(
        self,
        client: AIOKafkaClient,
        node: int,
        request: Request[Any],
        line: Line = "alive",
        seconds: float = ANSWER_SECONDS,
    ) -> Response:
        """Raises KafkaError. A connection that has timed out is closed, because the next request would queue on it."""
        try:
            async with asyncio.timeout(seconds):
                answer: Response = await client.send(node, request, group=line)
        except TimeoutError:
            with contextlib.suppress(KeyError):
                client._conns[node, line].close(reason=CloseReason.CONNECTION_TIMEOUT)  # noqa: SLF001 no public name
            raise RequestTimedOutError from None
        except OSError as error:
            raise KafkaConnectionError(str(error)) from error
        self._heard = time.monotonic()
        return answer
