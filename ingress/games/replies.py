"""The answers of events.record (docs/rules.md, "Answers"). Pure: values in, a Reply out.

Nearly every answer refuses nothing. Its bytes are those of an empty answer, around the totals.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from ingress.delivery.waiters import WaitResult
from ingress.games.checks import JudgedBatch, WholeFailure
from ingress.games.language import NumberWriter
from schemas.errors.table import Refusal
from schemas.games.body import (
    EventBatchRecordFailure,
    EventFailureCause,
    EventRecordRequest,
    EventUpdateResponse,
    PlayerEvent,
)
from schemas.games.judging import Judgement, batch_failures, event_failures
from serving.http.replies import refusal_reply, retry_after
from serving.http.reply import Reply

_EMPTY: Final = EventUpdateResponse().model_dump_json().encode()
_BEFORE_TOTALS: Final = _EMPTY.removesuffix(b"[]}")


class _Total(msgspec.Struct, gc=False, rename="camel"):
    """A PlayerEvent as it is written: this takes a tenth of the time of its model."""

    kind: str
    player_id: str
    definition_id: str
    num_events: str
    formatted_num_events: str


_KIND: Final = PlayerEvent.model_fields["kind"].default
_encode: Final = msgspec.json.Encoder().encode


def published_reply(batch: JudgedBatch, result: WaitResult, written: NumberWriter) -> Reply:
    """The answer to a published batch."""
    player = batch.arrival.identity.player
    fate = result.rejection.fate if result.rejection else "applied"
    if fate == "duplicate":
        events = player_events(player, batch.named, result.totals, written)
        return _whole_failure(EventFailureCause.ALREADY_UPDATED, events)
    if fate != "applied":
        # The worker could not count it, so OK would be false (B7). The receipt names the record to an operator.
        return refusal_reply(Refusal.SET_ASIDE)
    if batch.judgement.refuses_nothing:
        return Reply(200, totals_answer(player, batch.counted, result.totals, written))
    events = player_events(player, batch.counted, result.totals, written)
    return judged_reply(batch.sent, batch.judgement, events)


def totals_answer(player: str, events: Iterable[str], totals: Mapping[str, int], written: NumberWriter) -> bytes:
    """The answer to a batch of which nothing is refused."""
    if not totals:
        return _EMPTY
    found = [
        _Total(_KIND, player, event, str(totals[event]), written(event, totals[event]))
        for event in events
        if event in totals
    ]
    return b"%b%b}" % (_BEFORE_TOTALS, _encode(found))


def judged_reply(
    request: EventRecordRequest, judgement: Judgement, player_events: tuple[PlayerEvent, ...] = ()
) -> Reply:
    """The refused parts of the batch, and the totals of the rest."""
    return _ok(
        EventUpdateResponse(
            batch_failures=batch_failures(request, judgement),
            event_failures=event_failures(request, judgement),
            player_events=player_events,
        )
    )


def failure_reply(failure: WholeFailure) -> Reply:
    """The answer to a batch that is refused as a whole."""
    reply = _whole_failure(failure.cause)
    return reply if failure.retry_seconds is None else reply.having(retry_after(failure.retry_seconds))


def _whole_failure(cause: EventFailureCause, player_events: tuple[PlayerEvent, ...] = ()) -> Reply:
    """A failure of the whole request is the only one in the answer, with an empty range (G14, G16)."""
    return _ok(
        EventUpdateResponse(batch_failures=(EventBatchRecordFailure(failure_cause=cause),), player_events=player_events)
    )


def _ok(response: EventUpdateResponse) -> Reply:
    return Reply(200, response.model_dump_json().encode())


def player_events(
    player: str, events: Iterable[str], totals: Mapping[str, int], written: NumberWriter
) -> tuple[PlayerEvent, ...]:
    """The known totals of `events`. An event without one is left out (G15)."""
    return tuple(
        PlayerEvent(
            player_id=player,
            definition_id=event,
            num_events=totals[event],
            formatted_num_events=written(event, totals[event]),
        )
        for event in events
        if event in totals
    )
