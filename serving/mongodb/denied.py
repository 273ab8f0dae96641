"""Logs what MongoDB does not allow this process: a missing right, and how to grant it."""

import structlog

from serving.mongodb.rights import UNAUTHORIZED
from serving.mongodb.words import codes_of, why
from serving.seldom import Seldom

log = structlog.get_logger()

_seldom = Seldom()


def note_denied(error: BaseException) -> None:
    """Once a minute for each right."""
    if UNAUTHORIZED not in codes_of(error):
        return
    reason = why(error)
    if _seldom.allows(reason) is not None:
        log.warning("mongodb_not_allowed", reason=reason)
