"""What a worker checks before it reads its first record: whether Kafka and MongoDB can keep the promise.

The worker refuses to start for what is certainly wrong, and names all of it at once. It waits for an unavailable
server. What it has no permission to ask (an ACL) is logged and not checked.
"""

import asyncio

from aiokafka.errors import KafkaError
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure, PyMongoError

from consumer.config import WorkerConfig
from consumer.mongo.errors import NOT_ALLOWED_CODE, unavailable
from consumer.mongo.transactions import Document
from consumer.ports import Unavailable
from consumer.retry import Outages, Retry
from schemas import requirements
from schemas.documents import REQUESTS
from schemas.request_ids import EARLIER_LAYOUT
from schemas.settings import Api, KafkaSettings, Limits
from serving.kafka.client import why
from serving.mongodb.words import why as why_mongodb
from serving.start import ANSWER_SECONDS, judge_start, not_checked, wrong_topic

MAX_PAUSE_SECONDS = 5


async def check_start(
    config: WorkerConfig, client: AsyncMongoClient[Document], stop: asyncio.Event, outages: Outages
) -> None:
    """Returns when all checks have passed, or `stop` is set. Raises StartRefused."""
    await Retry(MAX_PAUSE_SECONDS, stop, outages).until_done("servers", lambda: _check_once(config, client))


async def _check_once(config: WorkerConfig, client: AsyncMongoClient[Document]) -> None:
    """Check Kafka and MongoDB once. A fault of one is reported even while the other is unavailable.

    Raises StartRefused, Unavailable.
    """
    answers = await asyncio.gather(
        *(_wrong_topic(config.kafka, config.limits, api) for api in config.worker.apis),
        _wrong_mongodb(client.get_database(config.mongodb.database), config),
        return_exceptions=True,
    )
    judge_start(answers)


async def _wrong_topic(kafka: KafkaSettings, limits: Limits, api: Api) -> list[str]:
    """What is wrong with an API's topic. Raises Unavailable."""
    try:
        return await wrong_topic(kafka, kafka.topic(api), requirements.topic_config(kafka, limits, api))
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(f"Kafka: {why(error)}") from error


async def _wrong_mongodb(database: AsyncDatabase[Document], config: WorkerConfig) -> list[str]:
    """What is wrong with MongoDB. Raises Unavailable."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            problems = requirements.wrong_mongod(await database.client.admin.command("hello"))
            missing = await _wrong_indexes(database, config)
            return problems + missing + await _wrong_requests(database, is_indexed=not missing)
    except (PyMongoError, TimeoutError) as error:
        raise unavailable(error) from error


async def _wrong_indexes(database: AsyncDatabase[Document], config: WorkerConfig) -> list[str]:
    problems: list[str] = []
    try:
        for wanted in requirements.indexes(config.kafka, config.limits):
            found = await database[wanted.collection].index_information()
            problems += requirements.wrong_indexes(found, wanted)
    except OperationFailure as error:
        if error.code != NOT_ALLOWED_CODE:
            raise
        not_checked("indexes_not_checked", why_mongodb(error))
    return problems


async def _wrong_requests(database: AsyncDatabase[Document], *, is_indexed: bool) -> list[str]:
    """Without an index only the first document is looked at: to look at all of them takes minutes."""
    found = await database[REQUESTS].find_one(EARLIER_LAYOUT if is_indexed else {}, {"keys": {"$slice": 1}})
    return requirements.wrong_requests(found if found and "keys" not in found else None)
