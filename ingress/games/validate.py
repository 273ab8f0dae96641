"""`POST /v1/validate`: events.record as a dry run. The same token, body, checks and limits; nothing is published.

It counts against a rate of its own, as high as the player's. Its refusals are neither counted in the metrics nor
recorded.
"""

from dataclasses import replace

from pydantic import BaseModel

from ingress.delivery.channel import ApiChannel
from ingress.dependencies import Dependencies
from ingress.games.checks import Checks, WholeFailure
from ingress.games.definitions import Definitions
from ingress.http.rate_limit import AppRates
from schemas.errors.table import Refusal
from schemas.games.body import EventBatchRecordFailure
from schemas.games.dry_run import DryRunAnswer, dry_run_answer
from serving.http.replies import retry_after
from serving.http.reply import Reply
from serving.http.request import Request
from serving.refused import Refused


class ValidateEvents:
    """The endpoint."""

    def __init__(self, shared: Dependencies, channel: ApiChannel, definitions: Definitions) -> None:
        own_rates = replace(channel, rates=AppRates(shared.limits))
        self._checks = Checks(shared, own_rates, definitions, is_dry_run=True)

    async def __call__(self, request: Request) -> Reply:
        arrival = await self._checks.arrived(request)
        try:
            with arrival.lease:
                batch = await self._checks.judged(arrival)
        except Refused as error:
            if error.refusal is not Refusal.MALFORMED:
                raise
            return _ok(DryRunAnswer(valid=False, violations=error.violations))
        if isinstance(batch, WholeFailure):
            failure = EventBatchRecordFailure(failure_cause=batch.cause)
            reply = _ok(DryRunAnswer(valid=True, batch_failures=(failure,)))
            return reply if batch.retry_seconds is None else reply.having(retry_after(batch.retry_seconds))
        return _ok(dry_run_answer(batch.sent, batch.judgement))


def _ok(answer: BaseModel) -> Reply:
    return Reply(200, answer.model_dump_json().encode())
