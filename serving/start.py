"""What ingress and worker check before they are ready: the settings of a topic, and the results of all checks together.

A process refuses to start for what is certainly wrong, and names all of it at once. It waits for an unavailable server.
What it has no permission to ask (an ACL) is logged and not checked.
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

# Longer than a client looks for a server, so that the client's own reason is reported.
ANSWER_SECONDS = 8

# What this process has logged: the checks are repeated until all servers have answered.
_risks_logged: set[tuple[str, str]] = set()


class StartRefused(Exception):
    """The process must not start, and a retry can't help. Each reason says what to change."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(reasons))


def judge_start(answers: Sequence[Sequence[str] | BaseException]) -> None:
    """Judge the answers of all checks: each is a list of what is wrong, or the exception that prevented the check.

    Raises StartRefused if anything is wrong, also while another check has failed; else the first of those exceptions.
    """
    known = [answer for answer in answers if not isinstance(answer, BaseException)]
    if reasons := [reason for answer in known for reason in answer]:
        raise StartRefused(reasons)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer


async def wrong_topic(kafka: KafkaSettings, topic: str, wanted: Mapping[str, str]) -> list[str]:
    """What is wrong with a topic's settings. Risks are logged once.

    Raises KafkaError, OSError, TimeoutError if Kafka does not answer.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            found, shape = await _describe(kafka, topic)
    except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError) as error:
        not_checked("topic_not_checked", topic=topic, reason=why(error))
        return []
    _unchecked.pop(("topic_not_checked", topic), None)
    for risk in topic_risks(found, shape, kafka):
        if (topic, risk) not in _risks_logged:
            _risks_logged.add((topic, risk))
            log.warning("topic_at_risk", topic=topic, risk=risk)
    return [f"topic {topic}: {problem}" for problem in wrong_topic_config(found, wanted)]


_unchecked: dict[tuple[str, ...], str] = {}


def not_checked(event: str, reason: str, **subject: str) -> None:
    """Log what could not be checked, and why. Once for each reason: checks are repeated until all servers answer."""
    key = (event, *subject.values())
    if _unchecked.get(key) != reason:
        _unchecked[key] = reason
        log.warning(event, reason=reason, **subject)


async def _describe(kafka: KafkaSettings, topic: str) -> tuple[Mapping[str, str], TopicShape]:
    """The settings and the shape of a topic. Opens a connection for this request alone."""
    admin = AIOKafkaAdminClient(**await bootstrap_options(kafka))
    try:
        await admin.start()
        return (await topic_config(admin, topic)).in_force, await topic_shape(admin, topic)
    finally:
        await admin.close()
