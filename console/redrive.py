"""`POST /v1/dead-letters/redrive`: dead letters are produced to Kafka again, after a dry run that says which.

A dry run shows ids, so it needs the scope tallymill.refusals. The real one changes what is counted, for any app: it
needs tallymill.operate, and `confirm`, which a person has typed as the dry run says it. The text names how many, so a
cause that has more letters by now is refused. The page sends the ids that it has shown. Each redrive is a line in the
log.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import structlog

from console.access.body import json_body
from console.access.caller import Caller
from console.access.callers import require
from console.metrics import REDRIVE
from console.reading import Parts
from schemas.errors.table import Refusal
from schemas.wire.console_access import RedriveReply, RedriveRequest, Skipped
from schemas.wire.console_replies import OPERATE_SCOPE
from schemas.wire.malformed import Violation
from schemas.wire.refusals import REFUSALS_SCOPE
from serving.http.reply import JSON, Reply
from serving.http.request import Request
from serving.refused import Refused

log = structlog.get_logger()

NOTHING: Final = "redrive nothing"


class Letter(NamedTuple):
    """A dead letter. `problem`: why it can't be produced again."""

    id: str
    problem: str | None


class KafkaAway(Exception):
    """Kafka is unavailable: nothing was produced."""


class Redriver(Protocol):
    """Reads and produces dead letters. Each method raises Unavailable and TooSlow of console/ports.py."""

    @property
    def is_able(self) -> bool:
        """Whether this console knows a Kafka to produce to."""
        ...

    async def choose(self, ids: Sequence[str] | None, cause: str | None) -> Sequence[Letter]:
        """Those of these ids, or those whose reason contains the cause, that were not redriven before."""
        ...

    async def redrive(self, ids: Sequence[str]) -> tuple[int, str]:
        """Produce these again. Returns how many, and what stopped it. Raises KafkaAway."""
        ...


def confirmation(ids: Sequence[str]) -> str:
    """What a person types."""
    return f"redrive {len(ids)}" if ids else NOTHING


class Redrive:
    """The endpoint."""

    def __init__(self, parts: Parts, redriver: Redriver) -> None:
        self._parts = parts
        self._redriver = redriver

    async def __call__(self, request: Request) -> Reply:
        caller = await self._parts.callers.may_write(request, REFUSALS_SCOPE)
        wanted = await json_body(request, RedriveRequest)
        if not wanted.dry_run:
            require(caller, OPERATE_SCOPE)
            if not self._redriver.is_able:
                raise Refused(Refusal.NO_REDRIVE)
        async with self._parts.querying(REDRIVE):
            found = await self._redriver.choose(wanted.ids, wanted.cause)
            reply = _planned(wanted, found)
            if not wanted.dry_run:
                reply = await self._done(caller, wanted, reply)
        return Reply(200, reply.model_dump_json().encode(), (JSON,))

    async def _done(self, caller: Caller, wanted: RedriveRequest, planned: RedriveReply) -> RedriveReply:
        if wanted.confirm != planned.confirm:
            raise Refused(Refusal.MALFORMED, [Violation(field="confirm", description=f"Must be: {planned.confirm}")])
        try:
            redriven, problem = await self._redriver.redrive(planned.ids)
        except KafkaAway as error:
            raise Refused(Refusal.KAFKA_AWAY) from error
        log.info(
            "dead_letters_redriven",
            who=caller.subject,
            app=caller.app,
            way=caller.way,
            chosen_by=wanted.cause or "ids",
            chosen=len(planned.ids),
            redriven=redriven,
            reason=problem or None,
        )
        return planned.model_copy(update={"redriven": redriven, "problem": problem or None})


def _planned(wanted: RedriveRequest, found: Sequence[Letter]) -> RedriveReply:
    ids = tuple(letter.id for letter in found if letter.problem is None)
    return RedriveReply(
        dry_run=wanted.dry_run,
        ids=ids,
        skipped=tuple(Skipped(id=letter.id, reason=letter.problem) for letter in found if letter.problem),
        confirm=confirmation(ids),
        redriven=0,
    )
