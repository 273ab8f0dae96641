"""Makes, connects and ends the aiokafka producer. What is peculiar to aiokafka 0.14 is here."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, NodeNotReadyError, ProducerClosed, UnknownTopicOrPartitionError

from ingress.delivery.partitioning import Partitioner, partition_of_key
from schemas.settings import KafkaSettings
from serving.kafka.bootstrap import NotReached, bootstrap_options, unreached_brokers
from serving.kafka.client import UnusableFile, why
from serving.kafka.connecting import connect_side_by_side

# One produce request is in flight per broker, and a batch collects the records that come meanwhile. aiokafka's default
# of 16 KiB holds 15 records.
MAX_BATCH_BYTES = 512 * 1024
# A frozen broker delays a connecting producer for one request's time-out, and it may try a second broker after that.
CONNECT_TIMEOUT_SECONDS = 12
END_SECONDS = 5

# How long a request waits for a broker, whatever the deadline of a publish is. A healthy broker acknowledges within a
# second, and only after this time-out does the record go to the partition's next leader.
MAX_REQUEST_SECONDS = 5


async def new_producer(
    kafka: KafkaSettings,
    max_record_bytes: int,
    request_timeout_seconds: float,
    partitioner: Partitioner = partition_of_key,
) -> Any:  # noqa: ANN401 aiokafka has no types
    """A producer that knows a reachable bootstrap address, not connected yet. Raises NotReached, UnusableFile.

    If a broker doesn't answer a request in time, the request is sent again, to it or to the partition's new leader.
    """
    seconds = min(max(request_timeout_seconds, 1), MAX_REQUEST_SECONDS)
    producer = AIOKafkaProducer(
        **await bootstrap_options(kafka, "tallymill-ingress", int(seconds * 1000)),
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=max_record_bytes,
        partitioner=partitioner,
    )
    connect_side_by_side(producer.client)
    return producer


async def connect(producer: Any, topic: str) -> None:  # noqa: ANN401 aiokafka has no types
    """Raises KafkaError, OSError, TimeoutError. A missing topic is reported only after a request's time-out."""
    async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
        await producer.start()
        await producer.partitions_for(topic)


async def why_not_connected(kafka: KafkaSettings, topic: str, error: BaseException) -> str:
    """Why a producer could not connect, in plain words."""
    if isinstance(error, UnknownTopicOrPartitionError):
        return f"there is no topic {topic}: run `tallymill init`"
    if isinstance(error, NotReached | UnusableFile | KafkaError) and not isinstance(error, NodeNotReadyError):
        return why(error)
    try:
        named = await unreached_brokers(kafka)
    except (NotReached, UnusableFile) as unreached:
        return why(unreached)
    return f"brokers that the cluster names can't be reached: {named}" if named else why(error)


async def end_producer(producer: Any, timeout_seconds: float) -> None:  # noqa: ANN401 aiokafka has no types
    """Flush, close, and settle every send, in bounded time even if Kafka is unavailable.

    aiokafka's own stop flushes first, which never ends without Kafka. So after the time-out its sender is cancelled
    (requests in flight end by their own time-out) and the remaining sends fail: no send stays unsettled.
    """
    stop = asyncio.ensure_future(producer.stop())
    await asyncio.wait((stop,), timeout=timeout_seconds)
    sender = producer._sender.sender_task  # noqa: SLF001 it has no public way to give up
    if not stop.done() and sender is not None:
        sender.cancel()
        await asyncio.wait((stop,), timeout=timeout_seconds)
    producer._message_accumulator.fail_all(ProducerClosed())  # noqa: SLF001 the same
    stop.cancel()
    await asyncio.gather(stop, return_exceptions=True)
