"""One connection to one address of Kafka, which is asked for the cluster's metadata."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiokafka import errors
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.metadata import MetadataRequest

from serving.kafka.connection import Connection
from serving.kafka.words import NotReached

Address = tuple[str, int]

REQUIRES_A_USER = "the port requires a user and password: check kafka.security_protocol and kafka.sasl_username"

# A TLS connection is closed by both sides. A broker that hangs never closes its side.
CLOSE_SECONDS = 1


@asynccontextmanager
async def connected(address: Address, options: dict[str, Any]) -> AsyncIterator[AIOKafkaConnection]:
    """Connect. The socket is closed at the end, also if the connection could not be completed."""
    connection = Connection(*address, **options)
    try:
        await connection.connect()
        yield connection
    finally:
        closed = connection.close()
        if connection._protocol is not None:  # noqa: SLF001 without a protocol no socket was opened
            await asyncio.wait((closed,), timeout=CLOSE_SECONDS)


class MetadataConnection:
    """Connects with the first request and stays connected until a request fails."""

    def __init__(self, address: Address, options: dict[str, Any]) -> None:
        self._address = address
        self._options = options
        self._open: AsyncExitStack | None = None
        self._connection: AIOKafkaConnection | None = None

    async def metadata(self, topics: Sequence[str], seconds: float) -> Any:  # noqa: ANN401 aiokafka has no types
        """Return the cluster's metadata of these topics.

        Raises whatever prevents the answer within `seconds`, once the connection is closed.
        """
        try:
            async with asyncio.timeout(seconds):
                if self._connection is None:
                    return await self._first_metadata(topics)
                return await self._connection.send(MetadataRequest(list(topics)))
        except BaseException:
            await self.close()
            raise

    async def _first_metadata(self, topics: Sequence[str]) -> Any:  # noqa: ANN401 the same
        """Connect and ask. A port that wants a user says so by closing the connection at the first request."""
        self._open = AsyncExitStack()
        connection = await self._open.enter_async_context(connected(self._address, self._options))
        self._connection = connection
        try:
            return await connection.send(MetadataRequest(list(topics)))
        except errors.KafkaConnectionError as error:
            if self._options["security_protocol"].startswith("SASL_"):
                raise
            raise NotReached(REQUIRES_A_USER) from error

    async def close(self) -> None:
        """Close the connection. The next request connects again."""
        opened, self._open, self._connection = self._open, None, None
        if opened is not None:
            await opened.aclose()
