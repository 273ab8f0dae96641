"""What an ingress looks at before it calls itself ready: whether its topics take its records, and MongoDB counts.

What is certainly wrong ends the process, all of it told at once. A server that is away is no reason to: asked again,
in the background. What may not be asked (an ACL) is told in the log, and goes unchecked.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

import structlog
from aiokafka.errors import KafkaError

from ingress.ports import Unavailable
from schemas import requirements
from schemas.settings import APIS, Api, KafkaSettings, Limits
from serving.kafka.client import why
from serving.start import judge_start, wrong_topic

log = structlog.get_logger()

RETRY_SECONDS = 1


class Greeter(Protocol):
    async def hello(self) -> Mapping[str, Any]:
        """MongoDB's answer to `hello`. Raises Unavailable."""
        ...


class StartCheck:
    """Looks at both topics and at MongoDB until all have been found right: then `passed`."""

    def __init__(self, kafka: KafkaSettings, limits: Limits, mongodb: Greeter) -> None:
        self._kafka = kafka
        self._limits = limits
        self._mongodb = mongodb
        self.passed = False

    async def run(self) -> None:
        """Returns when passed. Raises StartRefused."""
        while not self.passed:
            try:
                await self.look()
            except Unavailable as error:
                log.debug("not_checked_yet", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def look(self) -> None:
        """Look at both once. What is wrong with one is certain, also while the other is away.

        Raises StartRefused, Unavailable.
        """
        topics = [self._topic(api) for api in APIS]
        answers = await asyncio.gather(*topics, self._deployment(), return_exceptions=True)
        judge_start(answers)
        self.passed = True

    async def _topic(self, api: Api) -> list[str]:
        wanted = requirements.topic_config(self._kafka, self._limits, api)
        try:
            return await wrong_topic(self._kafka, self._kafka.topic(api), wanted)
        except (KafkaError, OSError, TimeoutError) as error:
            raise Unavailable(f"Kafka: {why(error)}") from error

    async def _deployment(self) -> list[str]:
        return requirements.wrong_mongod(await self._mongodb.hello())
