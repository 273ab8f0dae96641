"""From a record to a batch or a pool: whose it is, what it says, and what of it counts; or why it is unreadable.

Each API has its own topic, so the topic says how to read its records.
"""

from collections.abc import Callable, Mapping

from consumer.core.analytics.decode import decode_pool
from consumer.core.dead import Unreadable
from consumer.core.flush import Decoded
from consumer.core.games.decode import decode_batch
from consumer.core.reasons import bug_reason
from consumer.core.records import Record
from schemas.analytics.body import MalformedAnalytics
from schemas.records.envelope import MalformedEnvelope, is_signed
from schemas.records.signing import SigningKeys
from schemas.settings import Api
from schemas.wire.malformed import MalformedBody
from schemas.wire.values import TooLarge

Decode = Callable[[Record, SigningKeys], Decoded]


def _never_raising(read: Decode) -> Decode:
    """The same, but what `read` refuses, or fails at, is Unreadable: no record ends a worker."""

    def decode(record: Record, keys: SigningKeys) -> Decoded:
        # The log found a fault in it. What an ingress has signed is accepted, and read whatever its size.
        if record.fault and not is_signed(record.headers, record.value, keys):
            return Unreadable(record, record.fault)
        try:
            return read(record, keys)
        except MalformedEnvelope as error:
            reason = f"no app and player: {error}"
        except MalformedBody as error:
            reason = f"not a batch: {error.reason}"
        except MalformedAnalytics as error:
            reason = f"not a batch: {error}"
        except TooLarge as error:
            reason = f"too large: {error}"
        except Exception as error:  # noqa: BLE001 whatever it is
            return Unreadable(record, bug_reason("reading", error), bug=True)
        return Unreadable(record, reason)

    return decode


decode = _never_raising(decode_batch)
decode_analytics = _never_raising(decode_pool)
DECODES: Mapping[Api, Decode] = {"games": decode, "analytics": decode_analytics}
