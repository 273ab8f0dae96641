"""`POST /v1/validate`: what events.record would do with a batch, without doing it."""

from collections import Counter

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from schemas.games.body import EventBatchRecordFailure, EventRecordFailure, EventRecordRequest
from schemas.games.judging import Judgement, accepted_updates, batch_failures, event_failures
from schemas.wire.int64 import Int64
from schemas.wire.malformed import Violation


class _Answer(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )


class AcceptedCount(_Answer):
    """What a batch would add to one event."""

    definition_id: str
    update_count: Int64


class DryRunAnswer(_Answer):
    """The answer. A body that is not a batch has only violations. Failures are those of events.record.

    `shiftMillis` would be added to every period. It is not 0 if the client's clock is certainly wrong (G7).
    """

    valid: bool
    violations: tuple[Violation, ...] = ()
    batch_failures: tuple[EventBatchRecordFailure, ...] = ()
    event_failures: tuple[EventRecordFailure, ...] = ()
    accepted: tuple[AcceptedCount, ...] = ()
    shift_millis: Int64 = 0


def dry_run_answer(request: EventRecordRequest, judgement: Judgement) -> DryRunAnswer:
    """The answer for a judged batch: its failures, and the sums of accepted updates in order of first appearance."""
    sums: Counter[str] = Counter()
    for update in accepted_updates(request, judgement):
        sums[update.definition_id] += update.update_count
    return DryRunAnswer(
        valid=True,
        batch_failures=batch_failures(request, judgement),
        event_failures=event_failures(request, judgement),
        accepted=tuple(AcceptedCount(definition_id=event, update_count=count) for event, count in sums.items()),
        shift_millis=judgement.shift_millis,
    )
