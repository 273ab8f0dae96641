"""Membership in a group of workers, apart from reading: a consumer of aiokafka whose partitions are all paused."""

import asyncio
from collections.abc import Iterable, Mapping

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from consumer.config import WorkerSettings
from consumer.ports import Given, Membership, Unavailable
from schemas.settings import Api, KafkaSettings
from serving.kafka import client_options, why

log = structlog.get_logger()

# A member hears of a rebalance with its next heartbeat, and until the last one has, the new shares wait. Several of
# them fit into the shortest session, so that one that is late costs nothing.
HEARTBEAT_MILLIS = 1_000

# An outage of MongoDB, however long, must not cost the worker its partitions: only heartbeats say it is alive.
_NEVER_MILLIS = 2**31 - 1

RETRY_SECONDS = 1.0


def membership_of(kafka: KafkaSettings, worker: WorkerSettings, api: Api) -> Membership:
    """A member of the group that shares the topic of an API."""
    return PausedMember(kafka, worker, api)


class PausedMember(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """A Membership."""

    def __init__(self, kafka: KafkaSettings, worker: WorkerSettings, api: Api) -> None:
        self._topic = kafka.topic(api)
        self._given: Given | None = None
        self._task: asyncio.Task[None] | None = None
        self._consumer = AIOKafkaConsumer(
            **client_options(kafka, request_timeout_ms=int(worker.session_timeout_seconds * 1000) + 5_000),
            group_id=kafka.group_of(api),
            enable_auto_commit=False,
            auto_offset_reset="none",
            session_timeout_ms=int(worker.session_timeout_seconds * 1000),
            heartbeat_interval_ms=HEARTBEAT_MILLIS,
            max_poll_interval_ms=_NEVER_MILLIS,
        )

    @property
    def is_member(self) -> bool:
        return bool(self._consumer._coordinator and self._consumer._coordinator.generation > 0)  # noqa: SLF001 no public name

    def start(self, given: Given) -> None:
        self._given = given
        self._consumer.subscribe([self._topic], listener=self)
        self._task = asyncio.create_task(self._join(), name="join the group")

    async def _join(self) -> None:
        while True:
            try:
                await self._consumer.start()
            except KafkaError as error:
                log.warning("group unavailable", reason=why(error))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def commit(self, positions: Mapping[int, int]) -> None:
        ours = {TopicPartition(self._topic, partition): offset for partition, offset in positions.items()}
        try:
            await self._consumer.commit(ours)
        except (KafkaError, IllegalStateError) as error:
            raise Unavailable(f"Kafka: {why(error)}") from error

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait((self._task,))
        await self._consumer.stop()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing is given up before the new share is known."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        ours = list(assigned)
        for partition in ours:
            self._consumer.seek(partition, 0)
            self._consumer.pause(partition)
        if self._given:
            self._given(frozenset(partition.partition for partition in ours))
