"""The answers of events.record (docs/rules.md, "Answers"). Pure: values in, a Reply out."""

from collections.abc import Iterable, Mapping

from ingress.games.language import NumberWriter
from ingress.http.replies import retry_after
from schemas.games.body import (
    EventBatchRecordFailure,
    EventFailureCause,
    EventRecordRequest,
    EventUpdateResponse,
    PlayerEvent,
)
from schemas.games.judging import AcceptedUpdate, Judgement, batch_failures, event_failures
from serving.http.reply import Reply


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


def whole_failure_reply(cause: EventFailureCause, player_events: tuple[PlayerEvent, ...] = ()) -> Reply:
    """A failure of the whole request: the only one in the answer, with an empty range (G14, G16)."""
    return _ok(
        EventUpdateResponse(batch_failures=(EventBatchRecordFailure(failure_cause=cause),), player_events=player_events)
    )


def rate_high_reply(retry_seconds: float) -> Reply:
    return whole_failure_reply(EventFailureCause.RECORD_RATE_HIGH).having(retry_after(retry_seconds))


def _ok(response: EventUpdateResponse) -> Reply:
    return Reply(200, response.model_dump_json().encode())


def events_accepted(accepted: Iterable[AcceptedUpdate]) -> tuple[str, ...]:
    """The events that count something, by first appearance (G14)."""
    return tuple(dict.fromkeys(update.definition_id for update in accepted))


def events_named(request: EventRecordRequest) -> tuple[str, ...]:
    """Every event that the batch names, by first appearance: a duplicate's answer has their totals (G14)."""
    return tuple(dict.fromkeys(update.definition_id for period in request.time_periods for update in period.updates))


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
