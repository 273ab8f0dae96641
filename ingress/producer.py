"""The aiokafka producer: made, connected, ended. What is peculiar to aiokafka 0.14 is here."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerClosed
from aiokafka.helpers import create_ssl_context

from schemas.settings import KafkaSettings

# One produce request is in flight per broker, so a batch gathers what comes meanwhile; 16 KiB would be 15 records.
MAX_BATCH_BYTES = 512 * 1024
CONNECT_TIMEOUT_SECONDS = 5


def new_producer(kafka: KafkaSettings, max_record_bytes: int, request_timeout_seconds: float) -> Any:  # noqa: ANN401 aiokafka has no types
    """Not connected yet. A broker that takes a request and doesn't answer in time is sent it again."""
    encrypted = kafka.security_protocol.endswith("SSL")
    return AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers,
        client_id="tallymill-ingress",
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=max_record_bytes,
        request_timeout_ms=int(max(request_timeout_seconds, 1) * 1000),
        security_protocol=kafka.security_protocol,
        ssl_context=create_ssl_context(cafile=kafka.ssl_cafile, certfile=kafka.ssl_certfile, keyfile=kafka.ssl_keyfile)
        if encrypted
        else None,
        sasl_mechanism=kafka.sasl_mechanism,
        sasl_plain_username=kafka.sasl_username,
        sasl_plain_password=kafka.sasl_password.get_secret_value() if kafka.sasl_password else None,
    )


async def connect(producer: Any, topic: str) -> None:  # noqa: ANN401 aiokafka has no types
    """Raises KafkaError, OSError, or TimeoutError where the topic isn't there."""
    async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
        await producer.start()
        await producer.partitions_for(topic)


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
