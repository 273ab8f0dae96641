"""The envelope of an analytics record: what its ingress decided beside the body (for the rest: envelope.py).

`judged` says whether bad items are left out (`?partial=true`, A10) and which request id a header gave (A11).
"""

import json
from dataclasses import dataclass

from schemas.analytics.body import ANALYTICS_TYPE
from schemas.analytics.items import identity_of
from schemas.records.envelope import Carrier, MalformedEnvelope, Owner, carry, opened, signed_parts
from schemas.records.headers import Headers
from schemas.records.signing import SigningKeys


@dataclass(frozen=True, slots=True)
class PoolJudgement:
    """Without an ingress: nothing is left out, and the body alone names the request.

    `signed`: an ingress has accepted it, so it is never refused for its size (G18).
    """

    partial: bool = False
    request_id: str | None = None
    signed: bool = False


def seal_pool(
    owner: Owner, judgement: PoolJudgement, content_type: str, body: bytes, keys: SigningKeys
) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Key and headers of the record that carries a blanked body of AddEvent or AddEventBatch."""
    said = {"partial": judgement.partial, "requestId": judgement.request_id}
    judged = json.dumps({name: value for name, value in said.items() if value}, separators=(",", ":")).encode()
    # CloudEvents asks for an id; of a request without one its own bytes are.
    ce_id = judgement.request_id or identity_of(body)
    return carry(owner, Carrier(ANALYTICS_TYPE, ce_id, content_type, judged), body, keys)


def unseal_pool(
    key: bytes | None, headers: Headers, body: bytes, timestamp_millis: int, keys: SigningKeys
) -> tuple[Owner, PoolJudgement]:
    """Whose pool it is, and how it was judged. Raises MalformedEnvelope where nobody can say."""
    owner, judged = opened(key, headers, body, timestamp_millis, keys)
    said = signed_parts(judged) if judged else {}
    partial, request_id = said.get("partial", False), said.get("requestId")
    if not isinstance(partial, bool) or not isinstance(request_id, str | None):
        raise MalformedEnvelope("judged")
    return owner, PoolJudgement(partial, request_id, judged is not None)
