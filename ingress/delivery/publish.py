"""Publishes to Kafka: idempotent, batched, acknowledged by all in-sync replicas.

- A 200 needs an ack. A send without an ack in time is Unknown and continues in the background, because aiokafka never
  gives up an idempotent batch. Its bytes count as waiting until Kafka has answered, and their sum is bounded.
- The waiting bytes are shared fairly (http/shares.py): no app and no player can fill the buffer alone.
- After a failed batch aiokafka counts its sequence numbers as used, and Kafka does not: every later batch of that
  partition would be out of order. So after any failure a new producer is made. The workers deduplicate a retry with
  the same requestId, whichever producer sent it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError, UnknownTopicOrPartitionError

from ingress.delivery.partitioning import Partitioner, partition_of_key
from ingress.delivery.producer import END_SECONDS, connect, end_producer, new_producer, why_not_connected
from ingress.http.shares import Holder, Shares, holder_of_key
from ingress.ports import Position, Unavailable, Unknown
from schemas.settings import Api, KafkaSettings
from serving.deadlines import Deadlines, before
from serving.kafka.client import why
from serving.kafka.watch import KafkaWatch

log = structlog.get_logger()

RECONNECT_SECONDS = 0.5
# The timestamp type of an acknowledged record whose time is the broker's.
LOG_APPEND_TIME = 1


@dataclass(frozen=True, slots=True)
class PublishLimits:
    """How long one record may take, how many bytes may wait, how large one record may be."""

    deadline_seconds: float
    max_buffer_bytes: int
    max_record_bytes: int


class KafkaPublisher:
    """Publishes to the topic of one API. `run` connects it, and makes a new producer whenever one has failed."""

    def __init__(
        self,
        kafka: KafkaSettings,
        limits: PublishLimits,
        watch: KafkaWatch,
        api: Api = "games",
        partitioner: Partitioner = partition_of_key,
    ) -> None:
        self._kafka = kafka
        self._topic = kafka.topic(api)
        self._limits = limits
        self._partitioner = partitioner
        self._producer: Any = None
        self._lost = asyncio.Event()
        self._waiting = Shares(limits.max_buffer_bytes)
        self._deadlines = Deadlines[None](None)
        self._overdue = 0
        self._outage = watch.outage
        self._watch = watch
        watch.follow(self._topic, self._clients)
        self._stopping: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        return self._producer is not None and self._overdue == 0 and self._watch.reached

    @property
    def waiting_bytes(self) -> int:
        return self._waiting.held_bytes

    def partition_of(self, key: bytes) -> int | None:
        """As the producer chooses it, from its metadata of the topic."""
        producer = self._producer
        if producer is None or not producer.client.cluster.partitions_for_topic(self._topic):
            return None
        partition: int = producer._partition(self._topic, None, None, None, key, None)  # noqa: SLF001 it has no public way
        return partition

    async def publish(self, key: bytes, headers: Sequence[tuple[str, bytes]], body: bytes) -> Position | None:
        if self._producer is None:
            raise Unavailable("not connected to Kafka")
        holder = holder_of_key(key)
        if not self._waiting.take(holder, len(body)):
            raise Unavailable("too many bytes wait for Kafka, in all or of this player or app")
        deadline = asyncio.get_running_loop().time() + self._limits.deadline_seconds
        sent = await self._send(holder, key, headers, body, deadline)
        await self._settled_or_late(sent, deadline)
        if not sent.done():
            self._is_overdue(sent, key)
            raise Unknown("no ack in time")
        return _position(sent)

    def _is_overdue(self, sent: asyncio.Future[Any], key: bytes) -> None:
        """The send continues in the background. The log names the broker that it waits for."""
        self._overdue += 1
        waited = self._limits.deadline_seconds
        self._outage.lost(f"acks of {self._topic}", f"no ack within {waited:g} s{self._leader_of(key)}", waited)
        sent.add_done_callback(self._no_longer_overdue)

    def _leader_of(self, key: bytes) -> str:
        partition = self.partition_of(key)
        if partition is None:
            return ""
        cluster = self._producer.client.cluster
        leader = cluster.broker_metadata(cluster.leader_for_partition(TopicPartition(self._topic, partition)))
        of = f" of partition {partition} of {self._topic}"
        return f"{of}, led by {leader.host}:{leader.port}" if leader else f"{of}, which has no leader"

    def _clients(self) -> tuple[Any, ...]:
        return () if self._producer is None else (self._producer.client,)

    async def _settled_or_late(self, sent: asyncio.Future[Any], deadline: float) -> None:
        """Wait until `sent` is done or the loop's clock reaches `deadline`.

        Not wait_for: it would cancel the future, and a cancelled future says nothing about the record.
        """
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sent.add_done_callback(partial(_release, waiter))
        self._deadlines.add(deadline, waiter)
        await waiter

    async def _send(
        self, holder: Holder, key: bytes, headers: Sequence[tuple[str, bytes]], body: bytes, deadline: float
    ) -> asyncio.Future[Any]:
        """Give the record to the producer. Its bytes count as waiting until the future is done."""
        producer = self._producer
        try:
            # It waits for metadata of the topic, and for room in the partition's batch: nearly never.
            sending = producer.send(self._topic, value=body, key=key, headers=headers)
            sent: asyncio.Future[Any] = await before(deadline, sending)
        except BaseException as error:
            self._waiting.give_back(holder, len(body))
            self._refused_by_producer(producer, error)
            raise
        sent.add_done_callback(partial(self._settled, producer, holder, len(body)))
        return sent

    def _refused_by_producer(self, producer: object, error: BaseException) -> None:
        """The producer did not take the record. Raises Unavailable for Kafka's errors; a record too large is a bug."""
        if isinstance(error, TimeoutError | KafkaTimeoutError | UnknownTopicOrPartitionError):
            raise Unavailable(why(error)) from error
        if isinstance(error, KafkaError) and not isinstance(error, MessageSizeTooLargeError):
            self._discard(producer, error)
            raise Unavailable(why(error)) from error

    def _settled(self, producer: object, holder: Holder, size_bytes: int, sent: asyncio.Future[Any]) -> None:
        self._waiting.give_back(holder, size_bytes)
        if not sent.cancelled() and (error := sent.exception()):
            self._discard(producer, error)

    def _no_longer_overdue(self, _sent: asyncio.Future[Any]) -> None:
        self._overdue -= 1
        if not self._overdue:
            self._outage.back(f"acks of {self._topic}")

    def _discard(self, producer: Any, error: BaseException) -> None:  # noqa: ANN401 aiokafka has no types
        if producer is not self._producer:
            return
        self._outage.lost(self._topic, f"the producer of {self._topic} failed, another is made: {why(error)}")
        self._producer = None
        self._lost.set()
        stop = asyncio.create_task(end_producer(producer, self._limits.deadline_seconds))
        self._stopping.add(stop)
        stop.add_done_callback(self._stopping.discard)

    async def run(self) -> None:
        """Keep a producer connected, and its metadata of the cluster current, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch.run())
            group.create_task(self._keep_connected())

    async def _keep_connected(self) -> None:
        self._producer = await self._connected()
        log.info("kafka_connected", topic=self._topic)
        while True:
            self._outage.back(self._topic)
            await self._lost.wait()
            self._lost.clear()
            await asyncio.sleep(RECONNECT_SECONDS)
            self._producer = await self._connected()

    async def _connected(self) -> Any:  # noqa: ANN401 aiokafka has no types
        while True:
            try:
                return await self._try_to_connect()
            except (KafkaError, OSError, TimeoutError) as error:
                self._outage.lost(self._topic, await why_not_connected(self._kafka, self._topic, error))
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _try_to_connect(self) -> Any:  # noqa: ANN401 aiokafka has no types
        limits = self._limits
        producer = await new_producer(self._kafka, limits.max_record_bytes, limits.deadline_seconds, self._partitioner)
        try:
            await connect(producer, self._topic)
        except BaseException:
            await end_producer(producer, END_SECONDS)
            raise
        return producer

    async def stop(self, timeout_seconds: float) -> None:
        """Flush within `timeout_seconds`. The records that Kafka has not taken by then were answered 503."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await end_producer(producer, timeout_seconds)
        if self._stopping:
            await asyncio.wait(self._stopping, timeout=timeout_seconds)


def _release(waiter: asyncio.Future[None], _sent: object) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _position(sent: asyncio.Future[Any]) -> Position | None:
    """Where the acknowledged record lies. Raises Unknown: even after an error, an earlier try may be in the topic."""
    if sent.cancelled():
        raise Unknown("the producer was stopped")
    if error := sent.exception():
        raise Unknown(why(error)) from error
    metadata = sent.result()
    # DuplicateSequenceNumber is success without a position: Kafka answers offset -1, to which aiokafka adds the
    # record's place in its batch. The log's start offset is -1 then too, which tells it from a real position.
    if metadata.offset < 0 or (metadata.log_start_offset is not None and metadata.log_start_offset < 0):
        return None
    append_millis = metadata.timestamp if metadata.timestamp_type == LOG_APPEND_TIME else None
    return Position(metadata.partition, metadata.offset, append_millis)
