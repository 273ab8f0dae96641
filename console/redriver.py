"""Dead letters on the real servers. Connections are made at a redrive, which is rare."""

from collections.abc import Sequence
from typing import Any, Final

import pymongo
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from pymongo import WriteConcern
from pymongo.asynchronous.database import AsyncDatabase

from console.mongo_errors import translated
from console.redrive import KafkaAway, Letter
from schemas.settings import KafkaSettings, MongoSettings
from schemas.wire.console_access import MAX_REDRIVEN
from serving.dead_letters.store import Chosen, letters, redrive, topic_of, topics
from serving.kafka.bootstrap import NotReached, bootstrap_options
from serving.kafka.client import UnusableFile
from serving.mongodb.client import new_client

WITHIN_SECONDS: Final = 8
"""Then the rest is left to another request: shorter than console.stop_timeout_seconds."""

LARGEST_RECORD_BYTES: Final = 64 << 20
"""A record that was read from a topic may be written to it again: the topic's limit decides, not the client's."""

CUT: Final = "only a part of the record was kept, because it was too large"
NO_TOPIC: Final = "the topic of its lineage is unknown"


class ServersRedriver:
    """Implements Redriver."""

    def __init__(self, kafka: KafkaSettings, mongodb: MongoSettings, query_seconds: float) -> None:
        self._kafka = kafka
        self._query_seconds = query_seconds
        self._client = new_client(mongodb, "tallymill console redrive", maxPoolSize=2)
        self._database: AsyncDatabase[dict[str, Any]] = self._client.get_database(
            mongodb.database, write_concern=WriteConcern(w="majority", j=True)
        )

    @property
    def is_able(self) -> bool:
        return self._kafka.bootstrap_servers is not None

    async def close(self) -> None:
        await self._client.close()

    async def choose(self, ids: Sequence[str] | None, cause: str | None) -> Sequence[Letter]:
        chosen = Chosen(cause, None if ids is None else tuple(ids), MAX_REDRIVEN, again=False)
        with translated(), pymongo.timeout(self._query_seconds):
            found, by_lineage = await letters(self._database, chosen), await topics(self._database)
        return [Letter(one["_id"], CUT if "cut" in one else _unknown(topic_of(one, by_lineage))) for one in found]

    async def redrive(self, ids: Sequence[str]) -> tuple[int, str]:
        if not ids:
            return 0, ""
        try:
            options = await bootstrap_options(self._kafka, "tallymill console")
            producer = AIOKafkaProducer(
                **options, acks="all", enable_idempotence=True, max_request_size=LARGEST_RECORD_BYTES
            )
            try:
                await producer.start()
                with translated():
                    return await redrive(self._database, producer, ids, None, WITHIN_SECONDS)
            finally:
                await producer.stop()
        except (KafkaError, NotReached, UnusableFile) as error:
            raise KafkaAway from error


def _unknown(topic: str | None) -> str | None:
    return NO_TOPIC if topic is None else None
