"""What an ingress looks at before it calls itself ready: whether its topics take its records, and MongoDB counts.

What is certainly wrong ends the process, all of it told at once. A server that is away is no reason to: asked again,
in the background. What may not be asked (an ACL) is told in the log, and goes unchecked.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import ClusterAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError, for_code
from aiokafka.helpers import create_ssl_context

from ingress.ports import Unavailable
from schemas import requirements
from schemas.settings import APIS, Api, KafkaSettings, Limits

log = structlog.get_logger()

ANSWER_SECONDS = 5
RETRY_SECONDS = 1


class StartRefused(Exception):
    """The promise can't be held here. Each reason says what to change."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(reasons))


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
        if reasons := [reason for answer in answers if not isinstance(answer, BaseException) for reason in answer]:
            raise StartRefused(reasons)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        self.passed = True

    async def _topic(self, api: Api) -> list[str]:
        name = self._kafka.topic(api)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await _topic_config(self._kafka, name)
        except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError) as error:
            log.warning("topic_not_checked", topic=name, reason=f"DescribeConfigs is not allowed: {error!r}")
            return []
        except (KafkaError, OSError, TimeoutError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error
        wanted = requirements.topic_config(self._kafka, self._limits, api)
        problems = requirements.wrong_topic_config(
            found, {name: wanted[name] for name in requirements.WRITERS_TOPIC_SETTINGS}
        )
        return [f"topic {name}: {problem}" for problem in problems]

    async def _deployment(self) -> list[str]:
        return requirements.wrong_mongod(await self._mongodb.hello())


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
