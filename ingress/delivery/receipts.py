"""What became of a batch: `GET /v1/receipts/{receipt}` for its holder, `GET /v1/requests/{requestId}` for its player.

A receipt's state follows from the checkpoint of its partition:

    forged, malformed, of other keys                           404
    issued longer ago than exceptions are kept                 410: that nothing is said of it means nothing any more
    the checkpoint has not passed it                           pending; 410 where its lineage is unknown or followed by
                                                               a newer one, for then nobody will ever get there
    the checkpoint has passed another record at its place      the same: the log was cut, and gave its offsets out again
    passed                                                     what `exceptions` says; applied where it says nothing

A request is found by its own player only, and only if it counted: a duplicate is the same id, hence applied. Another
player's, one that never counted, and one that is forgotten are all 404.
"""

from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from ingress.auth.authenticator import Authenticator, require_record_scope
from ingress.http.body import Receive, headers_of
from ingress.http.pipeline import Scope
from ingress.http.replies import Refusal, Refused, Reply, json_reply
from ingress.ports import Fortune, FortuneStore, Unavailable
from schemas.records.envelope import rfc3339
from schemas.records.receipt import BadReceipt, Receipt, read_receipt
from schemas.records.signing import SigningKeys
from schemas.wire.int64 import Int64
from schemas.wire.malformed import Violation
from schemas.wire.replies import State
from serving.clock import Clock

# An exception's time is the broker's, a receipt's is ours and a wait later: asked to the last second, one that has
# just been removed would read as applied.
MARGIN_SECONDS = 60

_int64: Final[TypeAdapter[int]] = TypeAdapter(Int64)


@dataclass(frozen=True, slots=True)
class ReceiptParts:
    """All that looking things up needs. `kept_seconds`: how long exceptions and requests are kept."""

    signing: SigningKeys
    clock: Clock
    authenticator: Authenticator
    store: FortuneStore
    kept_seconds: int


def is_gone(receipt: Receipt, now_millis: int, kept_seconds: int) -> bool:
    """Whether what `exceptions` said of it may have been removed."""
    return now_millis - receipt.issued_millis > (kept_seconds - MARGIN_SECONDS) * 1000


def state_of(fortune: Fortune) -> tuple[State, str | None]:
    """State and cause. Raises Refused where nobody will ever know."""
    if not fortune.passed:
        if not fortune.in_force:
            raise Refused(Refusal.RECEIPT_GONE)
        return "pending", None
    if fortune.misfortune is None:
        return "applied", None
    # Of a dead letter's reason the first words: the rest may quote our servers.
    fate, cause = fortune.misfortune.fate, fortune.misfortune.cause
    return fate, cause.partition(":")[0] if fate == "dead" else cause


class ReceiptState:
    """`GET /v1/receipts/{receipt}`. The signature is the permission: only who got the receipt has it."""

    def __init__(self, parts: ReceiptParts) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, _receive: Receive) -> Reply:
        parts = self._parts
        text: str = scope["path_params"]["receipt"]
        try:
            receipt = read_receipt(text, parts.signing)
        except BadReceipt as error:
            raise Refused(Refusal.NOT_A_RECEIPT) from error
        if is_gone(receipt, parts.clock.wall_millis(), parts.kept_seconds):
            raise Refused(Refusal.RECEIPT_GONE)
        try:
            fortune = await parts.store.fortune(receipt.coordinates, receipt.append_millis)
        except Unavailable as error:
            raise Refused(Refusal.AWAY) from error
        state, cause = state_of(fortune)
        return json_reply(200, {"receipt": text, "state": state, "cause": cause})


class RequestState:
    """`GET /v1/requests/{requestId}`: a player's own request."""

    def __init__(self, parts: ReceiptParts) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, _receive: Receive) -> Reply:
        parts = self._parts
        authorization = headers_of(scope).get(b"authorization")
        identity = await parts.authenticator.identify(authorization, parts.clock.wall_millis() / 1000)
        require_record_scope(identity)
        request_id = _request_id(scope["path_params"]["request_id"])
        try:
            at_millis = await parts.store.counted_at_millis(identity.app, identity.player, request_id)
        except Unavailable as error:
            raise Refused(Refusal.AWAY) from error
        if at_millis is None:
            raise Refused(Refusal.NOT_SEEN)
        return json_reply(200, {"requestId": str(request_id), "state": "applied", "at": rfc3339(at_millis)})


def _request_id(text: str) -> int:
    """Spelt as in a body (G3), and never 0 (G4). Raises Refused."""
    try:
        request_id = _int64.validate_python(text)
    except ValidationError:
        request_id = 0
    if not request_id:
        violation = Violation(field="requestId", description="Must be an int64 other than 0, without padding")
        raise Refused(Refusal.MALFORMED, (violation,))
    return request_id
