"""From a record of AddEvent or AddEventBatch to a pool: whose it is, and its items by the `_id` of their documents."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from consumer.core.records import Record
from schemas.analytics import MalformedAnalytics, identities, parse_analytics, read_sent
from schemas.documents import event_key
from schemas.items import Item
from schemas.media import Media
from schemas.pools import unseal_pool
from schemas.signing import SigningKeys


class Pool(NamedTuple):
    """A readable record: its items by the `_id` of their documents. Empty: refused, for `cause`."""

    offset: int
    time_millis: int
    received_millis: int
    app: str
    actor: str
    request_id: str | None
    media: Media
    items: Mapping[str, Item]
    cause: str
    positions: Sequence[int] = ()
    """Where each of `items` stands in the body; only of a pool with a request id, which is what tells them apart."""


def decode_pool(record: Record, keys: SigningKeys) -> Pool:
    """Read one record. Raises MalformedEnvelope, MalformedAnalytics."""
    owner, judged = unseal_pool(record.key, record.headers, record.value, record.timestamp_millis, keys)
    content_type = dict(record.headers).get("content-type", b"").decode(errors="replace")
    batch = parse_analytics(read_sent(record.value, content_type))
    request_id = judged.request_id or batch.request_id
    refused = batch.bad and not judged.partial
    found = {} if refused else identities(batch, f"{owner.app}/{owner.player}", request_id)
    return Pool(
        offset=record.offset,
        time_millis=record.timestamp_millis,
        received_millis=owner.received_millis,
        app=owner.app,
        actor=owner.player,
        request_id=request_id,
        media=batch.media,
        items={event_key(owner.app, owner.player, name): batch.items[i] for i, name in found.items()},
        cause=str(MalformedAnalytics(batch.bad[:1])) if batch.bad else "EMPTY",
        positions=() if request_id is None else tuple(found),
    )
