"""What ingress and worker alike look at before they are ready: a topic's settings, and what a look's answers come to.

What is certainly wrong is refused, all of it told at once. A server that is away is no reason to refuse. What may not
be asked (an ACL) is told in the log, and goes unchecked.
"""

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import ClusterAuthorizationFailedError, TopicAuthorizationFailedError, for_code

from schemas.requirements import wrong_topic_config
from schemas.settings import KafkaSettings
from serving.kafka import why
from serving.kafka_bootstrap import bootstrap_options

log = structlog.get_logger()

# More than a client looks for a server, so that its own words are told.
ANSWER_SECONDS = 8


class StartRefused(Exception):
    """The promise can't be held here. Each reason says what to change; not to be tried again."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(reasons))


def judge_start(answers: Sequence[Sequence[str] | BaseException]) -> None:
    """Of each thing looked at what is wrong with it, or why that is not known.

    Raises StartRefused where anything is wrong, whatever else is not known; else the first of those exceptions.
    """
    known = [answer for answer in answers if not isinstance(answer, BaseException)]
    if reasons := [reason for answer in known for reason in answer]:
        raise StartRefused(reasons)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer


async def wrong_topic(kafka: KafkaSettings, topic: str, wanted: Mapping[str, str]) -> list[str]:
    """What is wrong with a topic's settings. Raises KafkaError, OSError, TimeoutError where Kafka doesn't say."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            found = await _topic_config(kafka, topic)
    except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError) as error:
        not_checked("topic_not_checked", topic=topic, reason=f"DescribeConfigs is not allowed: {why(error)}")
        return []
    _told.pop(("topic_not_checked", topic), None)
    return [f"topic {topic}: {problem}" for problem in wrong_topic_config(found, wanted)]


_told: dict[tuple[str, ...], str] = {}


def not_checked(event: str, reason: str, **subject: str) -> None:
    """Log what could not be checked, and why: once a reason, for a start is tried again until every server answers."""
    key = (event, *subject.values())
    if _told.get(key) != reason:
        _told[key] = reason
        log.warning(event, reason=reason, **subject)


async def _topic_config(kafka: KafkaSettings, topic: str) -> dict[str, str]:
    """The settings in force. The connection is this question's own."""
    admin = AIOKafkaAdminClient(**await bootstrap_options(kafka))
    try:
        await admin.start()
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        await admin.close()
    ((code, message, _, _, entries),) = answer.resources
    if code:
        raise for_code(code)(message)
    return {entry[0]: entry[1] for entry in entries}
