"""What an ingress checks before it is ready: its topics, and MongoDB.

Topics must accept its records, MongoDB must have transactions and ids that this version can read.

What is certainly wrong ends the process; all problems are reported at once. An unavailable server does not end it: it
is asked again in the background. What an ACL forbids to ask is logged and stays unchecked.
"""

import asyncio

from aiokafka.errors import KafkaError

from ingress.ports import HelloStore, RequestLayoutStore, Unavailable
from schemas import requirements
from schemas.settings import APIS, Api, KafkaSettings, Limits
from serving.kafka.client import why
from serving.start import judge_start, wrong_topic

RETRY_SECONDS = 1


class StartCheck:
    """Checks both topics and MongoDB until all are right; then `passed`."""

    def __init__(self, kafka: KafkaSettings, limits: Limits, mongodb: HelloStore, requests: RequestLayoutStore) -> None:
        self._kafka = kafka
        self._limits = limits
        self._mongodb = mongodb
        self._requests = requests
        self.passed = False

    async def run(self) -> None:
        """Returns when passed. Raises StartRefused."""
        while not self.passed:
            try:
                await self.check()
            except Unavailable:
                await asyncio.sleep(RETRY_SECONDS)

    async def check(self) -> None:
        """Check Kafka and MongoDB once. A fault of one is reported even while the other is unavailable.

        Raises StartRefused, Unavailable.
        """
        topics = [self._topic(api) for api in APIS]
        answers = await asyncio.gather(*topics, self._mongod(), return_exceptions=True)
        judge_start(answers)
        self.passed = True

    async def _topic(self, api: Api) -> list[str]:
        wanted = requirements.topic_config(self._kafka, self._limits, api)
        try:
            return await wrong_topic(self._kafka, self._kafka.topic(api), wanted)
        except (KafkaError, OSError, TimeoutError) as error:
            raise Unavailable(f"Kafka: {why(error)}") from error

    async def _mongod(self) -> list[str]:
        problems = requirements.wrong_mongod(await self._mongodb.hello())
        if problems:
            return problems
        newer = requirements.wrong_layout(await self._requests.newer_lineage())
        return newer or requirements.wrong_requests(await self._requests.earlier_request())
