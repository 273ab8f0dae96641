"""A readable record of the games topic: whose it is, what it says, and, once judged, what of it counts."""

from dataclasses import dataclass
from typing import NamedTuple

from consumer.core.records import Record
from schemas.games.body import EventRecordRequest
from schemas.games.judging import AcceptedUpdate, Judgement, accepted_updates, payload_crc
from schemas.records.envelope import Envelope


class Batch(NamedTuple):
    """A readable record, judged: `accepted` counts. Empty: refused, for `cause`."""

    offset: int
    time_millis: int
    received_millis: int
    app: str
    player: str
    request_id: int
    accepted: tuple[AcceptedUpdate, ...]
    crc: int
    cause: str


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A readable record that no ingress has judged."""

    record: Record
    envelope: Envelope
    request: EventRecordRequest


def judged_batch(record: Record, envelope: Envelope, request: EventRecordRequest, judgement: Judgement) -> Batch:
    """The batch that `judgement` makes of a request."""
    accepted = accepted_updates(request, judgement)
    return Batch(
        offset=record.offset,
        time_millis=record.timestamp_millis,
        received_millis=envelope.received_millis,
        app=envelope.app,
        player=envelope.player,
        request_id=request.request_id,
        accepted=accepted,
        crc=payload_crc(accepted),
        cause="" if accepted else refusal_cause(judgement),
    )


def refusal_cause(judgement: Judgement) -> str:
    """Why nothing is left of a batch: its first failure, in the order of the answer's arrays."""
    if judgement.too_large:
        return "TOO_LARGE"
    causes = (*(cause for _, cause in judgement.periods), *(cause for _, _, cause in judgement.updates))
    return str(causes[0]) if causes else "EMPTY"
