"""From a record to a batch or a pool: whose it is, what it says, and what of it counts; or why it is unreadable.

A record with a valid `judged` is decided here. One without is judged later, by the definitions of its time, which are
in the store (games/judge.py). Each API has its own topic, so the topic says how to decode.
"""

from collections.abc import Callable, Mapping

from consumer.core.analytics.decode import Pool, decode_pool
from consumer.core.dead import Unreadable
from consumer.core.flush import Decoded
from consumer.core.games.decode import Batch, Unjudged, judged_batch
from consumer.core.reasons import bug_reason
from consumer.core.records import Record
from schemas.analytics.body import MalformedAnalytics
from schemas.games.body import parse_request
from schemas.records.envelope import MalformedEnvelope, is_signed, unseal
from schemas.records.signing import SigningKeys
from schemas.settings import Api
from schemas.wire.malformed import MalformedBody
from schemas.wire.values import TooLarge

Decode = Callable[[Record, SigningKeys], Decoded]


def is_faulty(record: Record, keys: SigningKeys) -> bool:
    """Whether the log found a fault in it. What an ingress has signed is accepted, and read whatever its size."""
    return bool(record.fault) and not is_signed(record.headers, record.value, keys)


def decode_analytics(record: Record, keys: SigningKeys) -> Pool | Unreadable:
    """Read one record of the analytics topic. Never raises."""
    if is_faulty(record, keys):
        return Unreadable(record, record.fault)
    try:
        return decode_pool(record, keys)
    except MalformedEnvelope as error:
        return Unreadable(record, f"no app and player: {error}")
    except MalformedAnalytics as error:
        return Unreadable(record, f"not a batch: {error}")
    except TooLarge as error:
        return Unreadable(record, f"too large: {error}")


def decode(record: Record, keys: SigningKeys) -> Batch | Unjudged | Unreadable:
    """Read one record of the games topic. Never raises for a record that can't be read: it returns Unreadable."""
    if is_faulty(record, keys):
        return Unreadable(record, record.fault)
    try:
        envelope = unseal(record.key, record.headers, record.value, record.timestamp_millis, keys)
        request = parse_request(record.value)
    except MalformedEnvelope as error:
        return Unreadable(record, f"no app and player: {error}")
    except MalformedBody as error:
        return Unreadable(record, f"not a batch: {error.reason}")
    if envelope.judged is None:
        return Unjudged(record, envelope, request)
    return judged_batch(record, envelope, request, envelope.judged)


def surely(decode: Decode) -> Decode:
    """The same, but that what `decode` raises unexpectedly is the record's fault: no record ends a worker."""

    def decoded(record: Record, keys: SigningKeys) -> Decoded:
        try:
            return decode(record, keys)
        except Exception as error:  # noqa: BLE001 whatever it is
            return Unreadable(record, bug_reason("reading", error), bug=True)

    return decoded


DECODES: Mapping[Api, Decode] = {"games": surely(decode), "analytics": surely(decode_analytics)}
