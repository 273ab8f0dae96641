"""Connections of the command to Kafka and MongoDB, from the settings. Each raises NotReachable in plain words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context
from pymongo import AsyncMongoClient, WriteConcern
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from ops.config import Settings, SettingsError, variable_of

Document = dict[str, Any]

ANSWER_MILLIS = 10_000


class NotReachable(Exception):
    """A server did not answer, or refused; the message says which and how."""


@asynccontextmanager
async def kafka_admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client. Raises SettingsError without an address, NotReachable."""
    if not settings.kafka.bootstrap_servers:
        raise SettingsError([_required("kafka.bootstrap_servers")])
    names = {name: getattr(settings.kafka, f"ssl_{name}") for name in ("cafile", "certfile", "keyfile")}
    try:
        tls = create_ssl_context(**names)
    except OSError as error:  # ssl's errors are OSErrors
        raise SettingsError([f"kafka.ssl_cafile, kafka.ssl_certfile, kafka.ssl_keyfile: {error}"]) from error
    admin = AIOKafkaAdminClient(**settings.kafka.client_options(), ssl_context=tls, request_timeout_ms=ANSWER_MILLIS)
    try:
        await admin.start()
        yield admin
    except KafkaError as error:
        raise NotReachable(f"Kafka at {settings.kafka.bootstrap_servers}: {error!r}") from error
    finally:
        await admin.close()


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[AsyncDatabase[Document]]:
    """The database. Raises SettingsError without an address, NotReachable."""
    if not settings.mongodb.uri:
        raise SettingsError([_required("mongodb.uri")])
    client: AsyncMongoClient[Document] = AsyncMongoClient(
        settings.mongodb.uri.get_secret_value(),
        tz_aware=True,
        serverSelectionTimeoutMS=ANSWER_MILLIS,
        appname="tallymill",
    )
    try:
        yield client.get_database(settings.mongodb.database, write_concern=WriteConcern(w="majority", j=True))
    except PyMongoError as error:
        raise NotReachable(f"MongoDB: {error}") from error
    finally:
        await client.close()


def _required(name: str) -> str:
    return f"{name}: required ({variable_of(name)}; or start a local system: `tallymill up`)"
