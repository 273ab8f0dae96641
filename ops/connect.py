"""Connections of commands to Kafka and MongoDB, made from the settings as processes make theirs (serving/)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from pymongo import WriteConcern
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from consumer.fetching.batches import install
from ops.config import Settings, SettingsError, variable_of
from serving.kafka import client as kafka
from serving.kafka.bootstrap import NotReached, bootstrap_options
from serving.kafka.client import UnusableFile
from serving.mongodb import client as mongodb
from serving.mongodb.client import UnusableUri, new_client
from serving.mongodb.reach import Unusable, first_answer
from serving.mongodb.rights import UNAUTHORIZED

Document = dict[str, Any]

# With the start of the command, a person gets an answer within ten seconds.
ANSWER_MILLIS = 8_000

# A record that was read from a topic may be written to it again: the topic's limit decides, not the client's.
LARGEST_RECORD_BYTES = 64 * 1024 * 1024


class NotReachable(Exception):
    """A server is unavailable or refused a request. The message names the server and the reason."""


class NotAllowed(NotReachable):
    """The server is available, and the user lacks a right. The message says how to grant it."""


@asynccontextmanager
async def kafka_admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client. Raises SettingsError without an address, NotReachable."""
    admin = AIOKafkaAdminClient(**await _kafka_options(settings))
    try:
        await admin.start()
        yield admin
    except KafkaError as error:
        raise _unavailable(settings, error) from error
    finally:
        await admin.close()


@asynccontextmanager
async def kafka_consumer(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group, so that no rebalance follows; it reads committed records. Raises as kafka_admin."""
    install()
    consumer = AIOKafkaConsumer(
        **await _kafka_options(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_partition_fetch_bytes=settings.worker.max_partition_fetch_bytes,
    )
    try:
        await consumer.start()
        # Its task begins: one that is cancelled before that would make stop() raise CancelledError.
        await asyncio.sleep(0)
        yield consumer
    except KafkaError as error:
        raise _unavailable(settings, error) from error
    finally:
        await consumer.stop()


@asynccontextmanager
async def kafka_producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """A producer with the durability of the ingress's. Raises as kafka_admin."""
    producer = AIOKafkaProducer(
        **await _kafka_options(settings),
        acks="all",
        enable_idempotence=True,
        max_request_size=LARGEST_RECORD_BYTES,
    )
    try:
        await producer.start()
        yield producer
    except KafkaError as error:
        raise _unavailable(settings, error) from error
    finally:
        await producer.stop()


async def _kafka_options(settings: Settings) -> dict[str, Any]:
    """Options of every Kafka client, with an address that answers. Raises SettingsError, NotReachable."""
    if not settings.kafka.bootstrap_servers:
        raise SettingsError([_required("kafka.bootstrap_servers")])
    try:
        return await bootstrap_options(settings.kafka, request_timeout_ms=ANSWER_MILLIS)
    except UnusableFile as error:
        raise SettingsError([str(error)]) from error
    except NotReached as error:
        raise NotReachable(f"Kafka is not reachable: {error}") from error


def _unavailable(settings: Settings, error: KafkaError) -> NotReachable:
    return NotReachable(f"Kafka at {settings.kafka.bootstrap_servers}: {kafka.why(error)}")


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
        await first_answer(client)
        yield client.get_database(settings.mongodb.database, write_concern=WriteConcern(w="majority", j=True))
    except PyMongoError as error:
        denied = not mongodb.is_lost(error) and UNAUTHORIZED in mongodb.codes_of(error)
        raise (NotAllowed if denied else NotReachable)(f"MongoDB: {mongodb.why(error)}") from error
    except Unusable as error:
        raise NotReachable(f"MongoDB: {error}") from error
    finally:
        await client.close()


def _required(name: str) -> str:
    return f"{name}: required ({variable_of(name)}; or start a local system: `tallymill up`)"
