"""Logs what Kafka does not allow this process: a missing right, and how to grant it."""

import structlog

from serving.kafka.rights import Denied
from serving.seldom import Seldom

log = structlog.get_logger()

_seldom = Seldom()


def log_denied(denied: Denied) -> None:
    """Once a minute for each right."""
    reason = str(denied)
    if _seldom.allows(reason) is not None:
        log.warning("kafka_not_allowed", reason=reason)
