"""What ingress and worker alike look at before they are ready: a topic's settings, and what a look's answers come to.

What is certainly wrong is refused, all of it told at once. A server that is away is no reason to refuse. What may not
be asked (an ACL) is told in the log, and goes unchecked.
"""

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import ClusterAuthorizationFailedError, TopicAuthorizationFailedError

from schemas.requirements import wrong_topic_config
from schemas.settings import KafkaSettings
from schemas.topic_risks import TopicShape, topic_risks
from serving.kafka.bootstrap import bootstrap_options
from serving.kafka.client import why
from serving.kafka.topic import topic_config, topic_shape

log = structlog.get_logger()

# More than a client looks for a server, so that its own words are told.
ANSWER_SECONDS = 8

# Risks that this process has logged: the look is repeated until all servers have answered.
_risks_told: set[tuple[str, str]] = set()


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
    """What is wrong with a topic's settings; what they put at risk is logged, once.

    Raises KafkaError, OSError, TimeoutError where Kafka doesn't say.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            found, shape = await _topic(kafka, topic)
    except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError) as error:
        not_checked("topic_not_checked", topic=topic, reason=f"DescribeConfigs is not allowed: {why(error)}")
        return []
    _told.pop(("topic_not_checked", topic), None)
    for risk in topic_risks(found, shape, kafka):
        if (topic, risk) not in _risks_told:
            _risks_told.add((topic, risk))
            log.warning("topic_at_risk", topic=topic, risk=risk)
    return [f"topic {topic}: {problem}" for problem in wrong_topic_config(found, wanted)]


_told: dict[tuple[str, ...], str] = {}


def not_checked(event: str, reason: str, **subject: str) -> None:
    """Log what could not be checked, and why: once a reason, for a start is tried again until every server answers."""
    key = (event, *subject.values())
    if _told.get(key) != reason:
        _told[key] = reason
        log.warning(event, reason=reason, **subject)


async def _topic(kafka: KafkaSettings, topic: str) -> tuple[Mapping[str, str], TopicShape]:
    """The settings in force, and the shape. The connection is this question's own."""
    admin = AIOKafkaAdminClient(**await bootstrap_options(kafka))
    try:
        await admin.start()
        return (await topic_config(admin, topic)).in_force, await topic_shape(admin, topic)
    finally:
        await admin.close()
