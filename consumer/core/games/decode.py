"""A record of the games topic: whose it is, what it says, and, once judged, what of it counts."""

from typing import ClassVar

import msgspec

from consumer.core.records import Origin, Record
from schemas.documents import request_key
from schemas.games.body import EventRecordRequest, parse_request
from schemas.games.judging import AcceptedUpdate, Judgement, accepted_updates, payload_crc
from schemas.records.envelope import Envelope, unseal
from schemas.records.signing import SigningKeys


class Batch(msgspec.Struct, frozen=True, gc=False):
    """A readable record, judged: `accepted` counts. Empty: refused, for `cause`."""

    origin: Origin
    request_id: int
    key: str
    """Its whole id (request_key)."""
    accepted: tuple[AcceptedUpdate, ...]
    crc: int
    cause: str

    # As Decoded asks for them.
    weight: ClassVar = 1
    stored_bytes: ClassVar = 0

    @property
    def received_millis(self) -> int:
        return self.origin.received_millis


class Unjudged(msgspec.Struct, frozen=True, gc=False):
    """A readable record that no ingress has judged."""

    record: Record
    envelope: Envelope
    request: EventRecordRequest

    # As Decoded asks for them.
    weight: ClassVar = 1
    stored_bytes: ClassVar = 0
    received_millis: ClassVar = None


def decode_batch(record: Record, keys: SigningKeys) -> Batch | Unjudged:
    """Read one record. Raises MalformedEnvelope, MalformedBody.

    One with a valid `judged` is decided here. One without is judged later, by the definitions of its time, which are in
    the store (judge.py).
    """
    envelope = unseal(record.key, record.headers, record.value, record.timestamp_millis, keys)
    request = parse_request(record.value)
    if envelope.judged is None:
        return Unjudged(record, envelope, request)
    return judged_batch(record, envelope, request, envelope.judged)


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
