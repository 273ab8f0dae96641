"""What a worker looks at before it reads its first record: whether Kafka and MongoDB can hold the promise.

What is certainly wrong is refused, all of it at once. A server that is away is no reason to refuse: asked until it
answers. What this worker may not ask (an ACL) is told in the log, and goes unchecked.
"""

import asyncio
from collections.abc import Sequence

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.helpers import create_ssl_context
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure, PyMongoError

from consumer.config import WorkerConfig
from consumer.ports import Unavailable
from consumer.retry import Retry
from consumer.transactions import Document
from schemas import requirements
from schemas.settings import Api, KafkaSettings, Limits

log = structlog.get_logger()

# More than a client looks for a server, so that its own words are told.
ANSWER_SECONDS = 8
MAX_PAUSE_SECONDS = 5

# Unauthorized, AuthenticationFailed is another: that may be a secret not rolled out yet.
NOT_ALLOWED_CODE = 13


class StartRefused(Exception):
    """The promise can't be held here. Each reason says what to change; not to be tried again."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(reasons))


async def check_start(config: WorkerConfig, client: AsyncMongoClient[Document], stop: asyncio.Event) -> None:
    """Returns once both servers are found right, or `stop` is set. Raises StartRefused."""
    await Retry(MAX_PAUSE_SECONDS, stop).until_done("servers", lambda: _look(config, client))


async def _look(config: WorkerConfig, client: AsyncMongoClient[Document]) -> None:
    """Look at everything once. What is wrong with one server is certain, also while the other is away.

    Raises StartRefused, Unavailable.
    """
    answers = await asyncio.gather(
        *(look_at_topic(config.kafka, config.limits, api) for api in config.worker.apis),
        look_at_mongodb(client.get_database(config.mongodb.database), config),
        return_exceptions=True,
    )
    reasons = [reason for answer in answers if not isinstance(answer, BaseException) for reason in answer]
    if reasons:
        raise StartRefused(reasons)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer


async def look_at_topic(kafka: KafkaSettings, limits: Limits, api: Api) -> list[str]:
    """What is wrong with an API's topic. Raises Unavailable."""
    topic = kafka.topic(api)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            found = await _topic_config(kafka, topic)
    except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError) as error:
        log.warning("topic not checked", reason=f"DescribeConfigs is not allowed: {error!r}")
        return []
    except (KafkaError, TimeoutError) as error:
        raise Unavailable(f"Kafka: {error!r}") from error
    problems = requirements.wrong_topic_config(found, requirements.topic_config(kafka, limits, api))
    return [f"topic {topic}: {problem}" for problem in problems]


async def _topic_config(kafka: KafkaSettings, topic: str) -> dict[str, str]:
    """The settings in force. The connection is this question's own."""
    tls = create_ssl_context(cafile=kafka.ssl_cafile, certfile=kafka.ssl_certfile, keyfile=kafka.ssl_keyfile)
    admin = AIOKafkaAdminClient(**kafka.client_options(), ssl_context=tls)
    try:
        await admin.start()
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        await admin.close()
    ((code, message, _, _, entries),) = answer.resources
    if code:
        raise for_code(code)(message)
    return {entry[0]: entry[1] for entry in entries}


async def look_at_mongodb(database: AsyncDatabase[Document], config: WorkerConfig) -> list[str]:
    """What is wrong with MongoDB. Raises Unavailable."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            problems = requirements.wrong_mongod(await database.client.admin.command("hello"))
            return problems + await _wrong_indexes(database, config)
    except (PyMongoError, TimeoutError) as error:
        raise Unavailable(f"MongoDB: {error!r}") from error


async def _wrong_indexes(database: AsyncDatabase[Document], config: WorkerConfig) -> list[str]:
    problems: list[str] = []
    try:
        for wanted in requirements.indexes(config.kafka, config.limits):
            found = await database[wanted.collection].index_information()
            problems += requirements.wrong_indexes(found, wanted)
    except OperationFailure as error:
        if error.code != NOT_ALLOWED_CODE:
            raise
        log.warning("indexes not checked", reason=f"listIndexes is not allowed: {error!r}")
    return problems
