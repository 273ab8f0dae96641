"""A readable record of the games topic: whose it is, what it says, and, once judged, what of it counts."""

from dataclasses import dataclass
from typing import NamedTuple

from consumer.core.records import Origin, Record
from schemas.documents import request_key
from schemas.games.body import EventRecordRequest
from schemas.games.judging import AcceptedUpdate, Judgement, accepted_updates, payload_crc
from schemas.records.envelope import Envelope


class Batch(NamedTuple):
    """A readable record, judged: `accepted` counts. Empty: refused, for `cause`."""

    origin: Origin
    request_id: int
    key: str
    """Its whole id (request_key)."""
    accepted: tuple[AcceptedUpdate, ...]
    crc: int
    cause: str
    # As Decoded asks for them. Fields, since they are read several times a record, and a property costs a call.
    weight: int = 1
    stored_bytes: int = 0

    @property
    def received_millis(self) -> int:
        return self.origin.received_millis


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A readable record that no ingress has judged."""

    record: Record
    envelope: Envelope
    request: EventRecordRequest

    @property
    def weight(self) -> int:
        return 1

    @property
    def stored_bytes(self) -> int:
        return 0

    @property
    def received_millis(self) -> None:
        return None


def judged_batch(record: Record, envelope: Envelope, request: EventRecordRequest, judgement: Judgement) -> Batch:
    """The batch that `judgement` makes of a request."""
    accepted = accepted_updates(request, judgement)
    app, player, request_id = envelope.app, envelope.player, request.request_id
    return Batch(
        Origin(record.offset, record.timestamp_millis, envelope.received_millis, app, player),
        request_id,
        request_key(app, player, request_id),
        accepted,
        payload_crc(accepted),
        "" if accepted else refusal_cause(judgement),
    )


def refusal_cause(judgement: Judgement) -> str:
    """Why nothing is left of a batch: its first failure, in the order of the answer's arrays."""
    if judgement.too_large:
        return "TOO_LARGE"
    causes = (*(cause for _, cause in judgement.periods), *(cause for _, _, cause in judgement.updates))
    return str(causes[0]) if causes else "EMPTY"
