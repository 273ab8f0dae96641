"""What became of a batch: `GET /v1/receipts/{receipt}` for its holder, `GET /v1/requests/{requestId}` for its player.

A receipt's state follows from the checkpoint of its partition:

    forged, malformed, signed with other keys                  404
    issued longer ago than exceptions are kept                 410: a missing exception no longer means applied
    the checkpoint has not passed it                           pending; 410 if its lineage is unknown or not the newest,
                                                               because no checkpoint will pass it then
    the checkpoint has passed another record at its place      the same: the log was truncated and reused its offsets
    passed                                                     what `exceptions` says; applied if it says nothing

A request is found only by its own player, and only if it counted. A duplicate has the same id, so it is applied.
Another player's request, one that never counted and one that is no longer remembered are all 404.
"""

from typing import Final

from pydantic import TypeAdapter, ValidationError

from ingress.auth.authenticator import require_record_scope
from ingress.dependencies import Dependencies
from ingress.ports import OutcomeStore, RecordOutcome, Unavailable
from schemas.errors.table import Refusal
from schemas.records.envelope import rfc3339
from schemas.records.receipt import BadReceipt, Receipt, read_receipt
from schemas.wire.int64 import Int64
from schemas.wire.malformed import Violation
from schemas.wire.replies import State
from serving.http.replies import json_reply
from serving.http.reply import Reply
from serving.http.request import Request
from serving.refused import Refused

# An exception's time is the broker's, a receipt's is this machine's and later. Without a margin, a receipt asked for in
# the last second would read as applied when its exception has just been removed.
MARGIN_SECONDS = 60

_int64: Final[TypeAdapter[int]] = TypeAdapter(Int64)


def is_gone(receipt: Receipt, now_millis: int, kept_seconds: int) -> bool:
    """Whether what `exceptions` said of it may have been removed."""
    return now_millis - receipt.issued_millis > (kept_seconds - MARGIN_SECONDS) * 1000


def state_of(outcome: RecordOutcome) -> tuple[State, str | None]:
    """State and cause. Raises Refused where the outcome can never be known."""
    if not outcome.passed:
        if not outcome.may_still_pass:
            raise Refused(Refusal.RECEIPT_GONE)
        return "pending", None
    if outcome.rejection is None:
        return "applied", None
    # Only the first words of a dead letter's reason: the rest may quote internal servers.
    fate, cause = outcome.rejection.fate, outcome.rejection.cause
    return fate, cause.partition(":")[0] if fate == "dead" else cause


class ReceiptState:
    """`GET /v1/receipts/{receipt}`. The signature is the permission: only the client that got the receipt has it."""

    def __init__(self, shared: Dependencies, store: OutcomeStore, kept_seconds: int) -> None:
        """`kept_seconds`: how long exceptions and requests are kept."""
        self._shared = shared
        self._store = store
        self._kept_seconds = kept_seconds

    async def __call__(self, request: Request) -> Reply:
        text: str = request.target.path_parameters["receipt"]
        try:
            receipt = read_receipt(text, self._shared.signing)
        except BadReceipt as error:
            raise Refused(Refusal.NOT_A_RECEIPT) from error
        if is_gone(receipt, request.wall_millis, self._kept_seconds):
            raise Refused(Refusal.RECEIPT_GONE)
        try:
            outcome = await self._store.outcome(receipt.coordinates, receipt.append_millis)
        except Unavailable as error:
            raise Refused(Refusal.AWAY) from error
        state, cause = state_of(outcome)
        return json_reply(200, {"receipt": text, "state": state, "cause": cause})


class RequestState:
    """`GET /v1/requests/{requestId}`: a player's own request."""

    def __init__(self, shared: Dependencies, store: OutcomeStore) -> None:
        self._shared = shared
        self._store = store

    async def __call__(self, request: Request) -> Reply:
        identity = await self._shared.authenticator.identify(request.bearer, request.wall_millis / 1000)
        require_record_scope(identity)
        request_id = _request_id(request.target.path_parameters["request_id"])
        try:
            at_millis = await self._store.counted_at_millis(identity.app, identity.player, request_id)
        except Unavailable as error:
            raise Refused(Refusal.AWAY) from error
        if at_millis is None:
            raise Refused(Refusal.NOT_SEEN)
        return json_reply(200, {"requestId": str(request_id), "state": "applied", "at": rfc3339(at_millis)})


def _request_id(text: str) -> int:
    """Written as in a body (G3), and never 0 (G4). Raises Refused."""
    try:
        request_id = _int64.validate_python(text)
    except ValidationError:
        request_id = 0
    if not request_id:
        violation = Violation(field="requestId", description="Must be an int64 other than 0, without padding")
        raise Refused(Refusal.MALFORMED, (violation,))
    return request_id
