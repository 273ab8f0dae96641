"""One client that reads: a consumer of aiokafka without a group, and the partitions that it is assigned.

Its background tasks can end or hang without an error. The reader then replaces the client.
"""

import asyncio
from collections.abc import Collection
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.subscription_state import TopicPartitionState
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from consumer.core.position import Bounds
from consumer.fetching.room import ROOM, Room
from consumer.kafka.assignment import assign_incrementally
from consumer.ports import OutOfRange, Unavailable
from schemas.settings import KafkaSettings
from serving.kafka.bootstrap import first_to_answer
from serving.kafka.client import client_options, why
from serving.kafka.connecting import connect_side_by_side
from serving.kafka.words import NotReached, UnusableFile

# Connections that a replaced client has not closed by then are left to the garbage collector.
CLOSE_SECONDS = 5.0

# A leader that runs says where a partition begins and ends within milliseconds.
BOUNDS_SECONDS = 6


def part_of(tp: TopicPartition) -> str:
    """The partition's name in a sentence."""
    return f"partition {tp.partition} of {tp.topic}"


class SourceClient:
    """Reads one topic from `start` to `stop`."""

    def __init__(self, kafka: KafkaSettings, topic: str, request_millis: int, **reading: Any) -> None:  # noqa: ANN401 aiokafka's own options
        self._kafka = kafka
        self.consumer = AIOKafkaConsumer(
            **client_options(kafka, request_timeout_ms=request_millis, connects_later=True),
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

    # Positions.

    def read_from(self, tp: TopicPartition, offset: int) -> None:
        self.consumer.seek(tp, offset)
        self.consumer.resume(tp)

    def pause(self, tp: TopicPartition) -> None:
        """Stop reading the partition. It keeps some position, without which it would block others (assignment.py)."""
        self.consumer.seek(tp, 0)
        self.consumer.pause(tp)

    def state(self, tp: TopicPartition) -> TopicPartitionState | None:
        """What aiokafka knows of a partition; None if the partition is not assigned."""
        return self.assignment.state_value(tp) if tp in self.assignment.tps else None

    def positions(self, wanted: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Positions of the partitions that have one now.

        consumer.position() would wait for the others. Meanwhile one of these could be sought or lost, and records that
        were fetched before would be offered after it.
        """
        states = {tp: self.state(tp) for tp in wanted}
        return {one: state.position for one, state in states.items() if state is not None and state.has_valid_position}

    # Records and ends.

    async def fetched(
        self, wanted: Collection[TopicPartition], timeout_seconds: float, room: Room
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """Take what has been fetched and fits the room. Raises OutOfRange, Unavailable."""
        ROOM.set(room)
        try:
            # No max_records: what it leaves over blocks the other partitions of that broker.
            found: dict[TopicPartition, list[ConsumerRecord]] = await self.consumer.getmany(
                *wanted, timeout_ms=int(timeout_seconds * 1000)
            )
        except OffsetOutOfRangeError as error:
            raise OutOfRange([partition.partition for partition in error.args[0]]) from error
        except NoOffsetForPartitionError:
            return {}
        except KafkaError as error:
            raise Unavailable(f"Kafka: {why(error)}") from error
        return found

    async def bounds(self, tp: TopicPartition) -> Bounds:
        """Ask the leader where the partition begins and ends. Raises Unavailable."""
        try:
            async with asyncio.timeout(BOUNDS_SECONDS):
                begin = await self.consumer.beginning_offsets([tp])
                end = await self.consumer.end_offsets([tp])
        except TimeoutError as error:
            raise Unavailable(f"Kafka: the leader of {part_of(tp)} has not answered") from error
        except KafkaError as error:
            raise Unavailable(f"Kafka: {why(error)}") from error
        return Bounds(begin[tp], end[tp])

    # Health.

    def answered_millis(self, tp: TopicPartition) -> int | None:
        """When a broker last answered a fetch of the partition, with records or without."""
        state = self.state(tp)
        return None if state is None else state.timestamp

    def leader(self, tp: TopicPartition) -> int | None:
        """The broker that leads the partition; None if there is none, or none is known."""
        found: int | None = self.client.cluster.leader_for_partition(tp)
        return None if found == -1 else found

    def ended(self) -> str | None:
        """Name a background task of the client that has ended. Then nothing is read, and the client raises no error."""
        if self.consumer._fetcher is None:  # noqa: SLF001 its tasks have no public name
            return None
        tasks = {
            "the task that fetches": self.consumer._fetcher._fetch_task,  # noqa: SLF001 the same
            "the task that coordinates": self.consumer._coordinator._reset_committed_task,  # noqa: SLF001 the same
            "the task that refreshes metadata": self.client._sync_task,  # noqa: SLF001 the same
        }
        return next((name for name, task in tasks.items() if task is None or task.done()), None)

    async def stop(self) -> None:
        """Close the client in whatever state it is. Never raises."""
        for close in (self.consumer.stop, self.client.close):
            closing = asyncio.ensure_future(close())
            await asyncio.wait((closing,), timeout=CLOSE_SECONDS)
            if not closing.cancel() and not closing.cancelled():
                closing.exception()  # retrieved, or asyncio logs it; the failed task has been reported
