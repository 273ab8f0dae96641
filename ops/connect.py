"""Connections of the command to Kafka and MongoDB, from the settings. Each raises NotReachable in plain words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context
from pymongo import WriteConcern
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from consumer.fetching.batches import install
from ops.config import Settings, SettingsError, variable_of
from serving.mongodb import UnusableUri, new_client, why

Document = dict[str, Any]

ANSWER_MILLIS = 10_000

# What was read from a topic may be written back to it: the topic's own limit decides, not a client's.
LARGEST_RECORD_BYTES = 64 * 1024 * 1024


class NotReachable(Exception):
    """A server did not answer, or refused; the message says which and how."""


@asynccontextmanager
async def kafka_admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client. Raises SettingsError without an address, NotReachable."""
    admin = AIOKafkaAdminClient(**_kafka_options(settings))
    try:
        await admin.start()
        yield admin
    except KafkaError as error:
        raise _kafka_away(settings, error) from error
    finally:
        await admin.close()


@asynccontextmanager
async def kafka_consumer(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    """A reader without a group, of committed records alone: it disturbs nobody. Raises as kafka_admin does."""
    install()
    consumer = AIOKafkaConsumer(
        **_kafka_options(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_partition_fetch_bytes=settings.worker.max_partition_fetch_bytes,
    )
    try:
        await consumer.start()
        yield consumer
    except KafkaError as error:
        raise _kafka_away(settings, error) from error
    finally:
        await consumer.stop()


@asynccontextmanager
async def kafka_producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """A producer whose ack is as good as the ingress's. Raises as kafka_admin does."""
    producer = AIOKafkaProducer(
        **_kafka_options(settings),
        acks="all",
        enable_idempotence=True,
        max_request_size=LARGEST_RECORD_BYTES,
    )
    try:
        await producer.start()
        yield producer
    except KafkaError as error:
        raise _kafka_away(settings, error) from error
    finally:
        await producer.stop()


def _kafka_options(settings: Settings) -> dict[str, Any]:
    """What every client of Kafka takes. Raises SettingsError."""
    if not settings.kafka.bootstrap_servers:
        raise SettingsError([_required("kafka.bootstrap_servers")])
    names = {name: getattr(settings.kafka, f"ssl_{name}") for name in ("cafile", "certfile", "keyfile")}
    try:
        tls = create_ssl_context(**names)
    except OSError as error:  # ssl's errors are OSErrors
        raise SettingsError([f"kafka.ssl_cafile, kafka.ssl_certfile, kafka.ssl_keyfile: {error}"]) from error
    return {**settings.kafka.client_options(), "ssl_context": tls, "request_timeout_ms": ANSWER_MILLIS}


def _kafka_away(settings: Settings, error: KafkaError) -> NotReachable:
    return NotReachable(f"Kafka at {settings.kafka.bootstrap_servers}: {error!r}")


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[AsyncDatabase[Document]]:
    """The database. Raises SettingsError without an address, NotReachable."""
    if not settings.mongodb.uri:
        raise SettingsError([_required("mongodb.uri")])
    try:
        # No bound on a command: the build of an index, or a sum over all players, may take minutes.
        client = new_client(settings.mongodb, "tallymill", serverSelectionTimeoutMS=ANSWER_MILLIS, socketTimeoutMS=None)
    except UnusableUri as error:
        raise SettingsError(error.problems) from error
    try:
        yield client.get_database(settings.mongodb.database, write_concern=WriteConcern(w="majority", j=True))
    except PyMongoError as error:
        raise NotReachable(f"MongoDB: {why(error)}") from error
    finally:
        await client.close()


def _required(name: str) -> str:
    return f"{name}: required ({variable_of(name)}; or start a local system: `tallymill up`)"
