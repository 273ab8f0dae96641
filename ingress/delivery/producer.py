"""The aiokafka producer: made, connected, ended. What is peculiar to aiokafka 0.14 is here."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, NodeNotReadyError, ProducerClosed, UnknownTopicOrPartitionError

from schemas.settings import KafkaSettings
from serving.kafka.bootstrap import NotReached, bootstrap_options, unreached_brokers
from serving.kafka.client import UnusableFile, why
from serving.kafka.connecting import connect_side_by_side

# One produce request is in flight per broker, so a batch gathers what comes meanwhile; 16 KiB would be 15 records.
MAX_BATCH_BYTES = 512 * 1024
# A frozen broker holds a connecting producer up for a request's time, and a second one may be asked after it.
CONNECT_TIMEOUT_SECONDS = 12
END_SECONDS = 5

# How long a request waits for a broker, whatever the deadline of a publish is: one that is there acks within a second,
# and only when the time is over the record goes to the partition's next leader.
MAX_REQUEST_SECONDS = 5


async def new_producer(kafka: KafkaSettings, max_record_bytes: int, request_timeout_seconds: float) -> Any:  # noqa: ANN401 aiokafka has no types
    """Made with an address that answers, not connected yet. Raises NotReached, UnusableFile.

    A broker that takes a request and doesn't answer in time is sent it again, or the partition's new leader is.
    """
    seconds = min(max(request_timeout_seconds, 1), MAX_REQUEST_SECONDS)
    producer = AIOKafkaProducer(
        **await bootstrap_options(kafka, "tallymill-ingress", int(seconds * 1000)),
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=max_record_bytes,
    )
    connect_side_by_side(producer.client)
    return producer


async def connect(producer: Any, topic: str) -> None:  # noqa: ANN401 aiokafka has no types
    """Raises KafkaError, OSError, or TimeoutError. That a topic isn't there is known when a request's time is over."""
    async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
        await producer.start()
        await producer.partitions_for(topic)


async def why_not_connected(kafka: KafkaSettings, topic: str, error: BaseException) -> str:
    """What kept a producer from being connected, in words of its cause."""
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
    """Let Kafka take what waits, close, and settle every send; in bounded time, with Kafka there or not.

    aiokafka's own stop flushes first, and without Kafka that never ends: then its sender is cancelled (in-flight
    requests end by their time-out), and what is left fails, so that no send stays unsettled for ever.
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
