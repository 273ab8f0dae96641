"""The broker that keeps a group: found, found again when it moves, asked with a time-out.

The client of its own is made anew from the bootstrap servers when no broker it knows has answered for a while: by
itself it asks only the brokers of its last metadata, for ever, though all of those may be gone.
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

# A broker that is there answers within a second. One that doesn't answer within this is taken for frozen, and another
# is asked. Several such tries fit into the shortest session.
ANSWER_SECONDS = 3.0

# Longer than a broker takes to start again, shorter than people wait before they look.
SILENT_SECONDS = 10.0

_GROUP_KIND = 0

NewClient = Callable[[], Awaitable[AIOKafkaClient]]

Line = Literal["alive", "held back", "offsets"]
"""A connection to the coordinator. A broker answers one request of a connection after the other: heartbeats must not
stand behind what waits for the group to form, or for a replica of the group's offsets."""


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
        """Its answer. Raises KafkaError."""
        client, node = await self._find()
        try:
            return await self._send(client, node, request, line, seconds)
        except KafkaError:
            self.forget()
            raise

    def forget(self) -> None:
        """Look for it again before the next question: it has moved, or is silent."""
        self._node = None

    async def partitions(self) -> int:
        """How many partitions the group's topic has. It isn't made by asking. Raises KafkaError."""
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
            client.set_topics([self._group.topic])  # or it would be told of all topics, again and again
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
        """Raises KafkaError. A connection that has timed out is closed: what is asked next would wait behind it."""
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
