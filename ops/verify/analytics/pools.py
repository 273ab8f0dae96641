"""Reads a record of the analytics topic: its owner, its items, and the minute that each counts in. Pure.

Shares the contract with the worker (envelope, body, identities), and none of its code that plans.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ops.verify.reading import LogRecord, window_of
from schemas.analytics.body import MalformedAnalytics, identities, read_batch
from schemas.analytics.stored import MAX_STORED_BYTES, stored_bytes
from schemas.documents import actor_of
from schemas.records.envelope import MalformedEnvelope
from schemas.records.headers import content_type_of
from schemas.records.pools import unseal_pool
from schemas.records.signing import SigningKeys
from schemas.settings import Limits
from schemas.wire.values import TooLarge


class ItemReading(NamedTuple):
    """One item. `identity` as hex; `minute` since 1970, the one it counts in."""

    identity: str
    title: str
    at_millis: int
    minute: int


@dataclass(frozen=True, slots=True)
class PoolReading:
    """A record by itself: countable (each item once), refused or dead."""

    kind: Literal["countable", "refused", "dead"]
    app: str = ""
    player: str = ""
    items: Sequence[ItemReading] = ()


DEAD = PoolReading("dead")


def read_pool(record: LogRecord, keys: SigningKeys, limits: Limits) -> PoolReading:
    """Never raises: an unreadable record is dead."""
    if record.is_faulty(keys):
        return DEAD
    try:
        owner, judged = unseal_pool(record.key, record.headers, record.value, record.time_millis, keys)
        batch = read_batch(record.value, content_type_of(record.headers))
    except (MalformedEnvelope, MalformedAnalytics, TooLarge):
        return DEAD
    if not batch.items or (batch.bad_positions and not judged.partial):
        return PoolReading("refused", owner.app, owner.player)
    request_id = judged.request_id or batch.request_id
    if not judged.signed and stored_bytes(batch, owner.app, owner.player, request_id) > MAX_STORED_BYTES:
        return DEAD
    found = identities(batch, actor_of(owner.app, owner.player), request_id)
    items = []
    for position, identity in found.items():
        item = batch.items[position]
        minute = window_of(counted_millis(item.at_millis, owner.received_millis, limits))
        items.append(ItemReading(identity, item.title, item.at_millis, minute))
    return PoolReading("countable", owner.app, owner.player, items)


def counted_millis(at_millis: int, received_millis: int, limits: Limits) -> int:
    """The time that an item counts at: its own, or the time of receipt if its own is impossible (A6)."""
    ahead_seconds = (at_millis - received_millis) / 1000
    possible = -limits.max_event_age_seconds <= ahead_seconds <= limits.clock_skew_tolerance_seconds
    return at_millis if possible else received_millis
