"""The parts of an analytics record's envelope that differ from envelope.py.

`judged` says whether bad items are left out (`?partial=true`, A10), and holds a request id from a header (A11).
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
    """What an ingress decided about a pool. The defaults are those of a record that no ingress produced.

    `signed`: an ingress accepted it, so the worker never refuses it because of its size (G18).
    """

    partial: bool = False
    request_id: str | None = None
    signed: bool = False


def seal_pool(
    owner: Owner, judgement: PoolJudgement, content_type: str, body: bytes, keys: SigningKeys
) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Key and headers of the record of an AddEvent or AddEventBatch body whose token is blanked."""
    said = {"partial": judgement.partial, "requestId": judgement.request_id}
    judged = json.dumps({name: value for name, value in said.items() if value}, separators=(",", ":")).encode()
    # CloudEvents requires an id. A request without one gets a hash of its body.
    ce_id = judgement.request_id or identity_of(body)
    return carry(owner, Carrier(ANALYTICS_TYPE, ce_id, content_type, judged), body, keys)


def unseal_pool(
    key: bytes | None, headers: Headers, body: bytes, timestamp_millis: int, keys: SigningKeys
) -> tuple[Owner, PoolJudgement]:
    """Whose pool it is, and how it was judged. Raises MalformedEnvelope."""
    owner, judged = opened(key, headers, body, timestamp_millis, keys)
    said = signed_parts(judged) if judged else {}
    partial, request_id = said.get("partial", False), said.get("requestId")
    if not isinstance(partial, bool) or not isinstance(request_id, str | None):
        raise MalformedEnvelope("judged")
    return owner, PoolJudgement(partial, request_id, judged is not None)
