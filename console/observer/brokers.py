"""The connections to Kafka's brokers: asked side by side, each in bounded time.

A frozen broker makes only its own partitions unknown. After a failed step all is connected anew, from the bootstrap
addresses.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from random import sample
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, KafkaError, RequestTimedOutError, for_code
from aiokafka.protocol.coordination import FindCoordinatorRequest

from console.observer.requests import Partition
from schemas.settings import KafkaSettings
from serving.kafka.bootstrap import bootstrap_options
from serving.kafka.connecting import connect_side_by_side

# A broker that runs answers within milliseconds.
ANSWER_SECONDS = 2.5
# One answer is enough. In a large cluster so many brokers are asked at once.
MOST_ASKED = 3
CLOSE_SECONDS = 1.0

_GROUP_KIND = 0

Leaders = Mapping[Partition, int | None]


class Brokers:
    """One client of the cluster, which belongs to no group."""

    def __init__(self, kafka: KafkaSettings, topics: Iterable[str]) -> None:
        self._kafka = kafka
        self._topics = tuple(topics)
        self._client: AIOKafkaClient | None = None
        self._coordinators: dict[str, int] = {}

    async def connect(self) -> None:
        """Connect if there is no connection. Raises KafkaError, NotReached, UnusableFile."""
        if self._client is not None:
            return
        options = await bootstrap_options(self._kafka, "tallymill-observer", seconds=ANSWER_SECONDS)
        client = AIOKafkaClient(**options)
        connect_side_by_side(client)
        try:
            await client.bootstrap()
        except BaseException:
            await client.close()
            raise
        client.set_topics(self._topics)  # otherwise it fetches the metadata of all topics regularly
        self._client = client

    async def close(self) -> None:
        """Connections to a frozen broker are left to the garbage collector."""
        client, self._client = self._client, None
        self._coordinators.clear()
        if client is not None:
            await asyncio.wait((asyncio.ensure_future(client.close()),), timeout=CLOSE_SECONDS)

    async def ask_any(self, request: Any) -> Any:  # noqa: ANN401 aiokafka has no types
        """The first answer of a few brokers, so that a frozen one delays nothing. Raises KafkaError, OSError."""
        nodes = [broker.nodeId for broker in self._client.cluster.brokers()] if self._client else []
        asked = {asyncio.create_task(self._ask(node, request)) for node in sample(nodes, min(MOST_ASKED, len(nodes)))}
        failure: KafkaError | OSError = KafkaConnectionError()
        try:
            for one in asyncio.as_completed(asked):
                try:
                    return await one
                except (KafkaError, OSError) as error:
                    failure = error
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        raise failure

    async def ask_leaders(
        self, leaders: Leaders, wanted: Iterable[Partition], request: Callable[[list[Partition]], Any]
    ) -> list[Any]:
        """The answers that came, to one request for the wanted partitions of each broker."""
        by_leader: dict[int, list[Partition]] = {}
        for one in wanted:
            if (leader := leaders.get(one)) is not None:
                by_leader.setdefault(leader, []).append(one)
        questions = [self._ask(leader, request(partitions)) for leader, partitions in by_leader.items()]
        return [one for one in await asyncio.gather(*questions, return_exceptions=True) if not _has_failed(one)]

    async def ask_coordinator(self, group: str, request: Any) -> Any:  # noqa: ANN401 the same
        """Raises KafkaError, OSError. The coordinator is searched anew after a failure."""
        if group not in self._coordinators:
            answer = await self.ask_any(FindCoordinatorRequest(group, _GROUP_KIND))
            if answer.error_code:
                raise for_code(answer.error_code)
            self._coordinators[group] = int(answer.coordinator_id)
        try:
            return await self._ask(self._coordinators[group], request)
        except (KafkaError, OSError):
            self.forget_coordinator(group)
            raise

    def forget_coordinator(self, group: str) -> None:
        """Search it before the next request: it has moved."""
        self._coordinators.pop(group, None)

    async def _ask(self, node: int | None, request: Any) -> Any:  # noqa: ANN401 the same
        client = self._client
        if client is None or node is None:
            raise KafkaConnectionError
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if client.cluster.broker_metadata(node) is None:  # it joined the cluster a moment ago
                    await client.force_metadata_update()
                return await client.send(node, request)
        except TimeoutError:
            raise RequestTimedOutError from None


def _has_failed(answer: object) -> bool:
    """Raises what is neither Kafka's nor the network's: a bug."""
    if isinstance(answer, KafkaError | OSError):
        return True
    if isinstance(answer, BaseException):
        raise answer
    return False
