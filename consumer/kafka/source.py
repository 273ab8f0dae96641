"""One client of Kafka that reads: a consumer of aiokafka without a group, and the partitions it holds.

It may end, or hang, by itself: then another takes its place.
"""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.subscription_state import TopicPartitionState
from aiokafka.errors import KafkaError

from consumer.kafka.assignment import assign_incrementally
from consumer.ports import Unavailable
from schemas.settings import KafkaSettings
from serving.kafka.bootstrap import first_to_answer
from serving.kafka.client import client_options, why
from serving.kafka.connecting import connect_side_by_side
from serving.kafka.words import NotReached, UnusableFile

# Connections of a client that is given up are closed by then, or left to the garbage collector.
CLOSE_SECONDS = 5.0


class SourceClient:
    """Reads one topic from `start` to `stop`."""

    def __init__(self, kafka: KafkaSettings, topic: str, request_millis: int, **reading: Any) -> None:  # noqa: ANN401 aiokafka's own options
        self._kafka = kafka
        self.consumer = AIOKafkaConsumer(
            **client_options(kafka, request_timeout_ms=request_millis),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            **reading,
        )
        self.assignment = assign_incrementally(self.consumer, topic)
        connect_side_by_side(self.client)

    @property
    def client(self) -> AIOKafkaClient:
        return self.consumer._client  # noqa: SLF001 its connections have no public name

    async def start(self) -> None:
        """Connect to the address that answers first. Raises Unavailable."""
        try:
            self.client._bootstrap_servers = await first_to_answer(self._kafka)  # noqa: SLF001 the same
            await self.consumer.start()
        except (NotReached, UnusableFile) as error:
            raise Unavailable(f"Kafka: {error}") from error
        except KafkaError as error:
            raise Unavailable(f"Kafka: {why(error)}") from error

    def state(self, ours: TopicPartition) -> TopicPartitionState | None:
        """What aiokafka knows of a partition that is held."""
        return self.assignment.state_value(ours) if ours in self.assignment.tps else None

    def answered_millis(self, ours: TopicPartition) -> int | None:
        """When a broker last gave records of it, or said that there are none."""
        state = self.state(ours)
        return None if state is None else state.timestamp

    def read_from(self, ours: TopicPartition, offset: int) -> None:
        self.consumer.seek(ours, offset)
        self.consumer.resume(ours)

    def pause(self, ours: TopicPartition) -> None:
        self.consumer.seek(ours, 0)
        self.consumer.pause(ours)

    def leader(self, ours: TopicPartition) -> int | None:
        """The broker that gives this partition; None where there is none now, or none is known."""
        found: int | None = self.client.cluster.leader_for_partition(ours)
        return None if found == -1 else found

    def ended(self) -> str | None:
        """Which of the client's own tasks has ended: nothing is read any more, and nothing else says so."""
        if self.consumer._fetcher is None:  # noqa: SLF001 its tasks have no public name
            return None
        tasks = {
            "the task that fetches": self.consumer._fetcher._fetch_task,  # noqa: SLF001 the same
            "the task that coordinates": self.consumer._coordinator._reset_committed_task,  # noqa: SLF001 the same
            "the task that refreshes metadata": self.client._sync_task,  # noqa: SLF001 the same
        }
        return next((name for name, task in tasks.items() if task is None or task.done()), None)

    async def stop(self) -> None:
        """Close it, whatever state it is in. Never raises."""
        for close in (self.consumer.stop, self.client.close):
            closing = asyncio.ensure_future(close())
            await asyncio.wait((closing,), timeout=CLOSE_SECONDS)
            if not closing.cancel() and not closing.cancelled():
                closing.exception()  # of a task that has ended by itself: told already
