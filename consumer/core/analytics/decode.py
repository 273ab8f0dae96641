"""From a record of AddEvent or AddEventBatch to a pool: whose it is, and its items by the `_id` of their documents."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from consumer.core.records import Origin, Record
from schemas.analytics.body import AnalyticsBatch, identities, read_batch
from schemas.analytics.items import Item
from schemas.analytics.media import Media
from schemas.analytics.stored import require_storable, stored_bytes
from schemas.documents import actor_of, event_key
from schemas.records.headers import content_type_of
from schemas.records.pools import unseal_pool
from schemas.records.signing import SigningKeys


class Pool(NamedTuple):
    """A readable record: its items by the `_id` of their documents. Empty: refused, for `cause`.

    `stored_bytes`: what they make MongoDB store, if all are new (schemas/analytics/stored.py).
    """

    origin: Origin
    request_id: str | None
    media: Media
    items: Mapping[str, Item]
    cause: str
    positions: Sequence[int] = ()
    """Where each of `items` stands in the body; only of a pool with a request id, which is what tells them apart."""
    stored_bytes: int = 0

    @property
    def weight(self) -> int:
        return max(1, len(self.items))

    @property
    def received_millis(self) -> int:
        return self.origin.received_millis


def decode_pool(record: Record, keys: SigningKeys) -> Pool:
    """Read one record. Raises MalformedEnvelope, MalformedAnalytics, TooLarge."""
    owner, judged = unseal_pool(record.key, record.headers, record.value, record.timestamp_millis, keys)
    batch = read_batch(record.value, content_type_of(record.headers))
    request_id = judged.request_id or batch.request_id
    refused = batch.bad and not judged.partial
    found = {} if refused else identities(batch, actor_of(owner.app, owner.player), request_id)
    size_bytes = stored_bytes(batch, owner.app, owner.player, request_id) if found else 0
    if not judged.signed:
        require_storable(size_bytes)
    return Pool(
        origin=Origin(record.offset, record.timestamp_millis, owner.received_millis, owner.app, owner.player),
        request_id=request_id,
        media=batch.media,
        items={event_key(owner.app, owner.player, name): batch.items[i] for i, name in found.items()},
        cause=refusal_cause(batch),
        positions=() if request_id is None else tuple(found),
        stored_bytes=size_bytes,
    )


# Names of an event's fields; below them the names are the client's own, and no log's.
_place_of = re.compile(r"eventData\[[0-9]+\](?:\.(?:Timestamp|Event|Data)\b)?").match


def refusal_cause(batch: AnalyticsBatch) -> str:
    """The first bad item's place and fault, or that there is none. Nothing of what the client sent."""
    if not batch.bad:
        return "EMPTY"
    place = _place_of(batch.bad[0].field)
    return f"{place[0] if place else 'eventData'}: {batch.bad[0].description}"
