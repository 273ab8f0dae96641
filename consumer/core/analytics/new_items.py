"""Which items of a pool are new. Pure.

An item is its identity (A11): the `_id` of its document. It is a repeat if that document is stored, and was written no
longer than event_retention ago by the records' own times, so that a recount agrees.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import msgspec

from consumer.core.analytics.decode import Pool
from consumer.core.reads import KnownItem
from schemas.analytics.digest import digest_of
from schemas.analytics.items import Item
from schemas.documents import ALREADY_UPDATED, PAYLOAD_DIFFERS, Fate
from schemas.settings import Limits

# Of a pool with other items than before under its requestId so many are named; the client has one bug, not many.
MAX_DIFFERING = 10


class NewItem(msgspec.Struct, frozen=True, gc=False):
    """An item to store; with a digest of its content where its identity doesn't contain that."""

    item: Item
    digest: int | None


class PoolVerdict(msgspec.Struct, frozen=True, gc=False):
    """A pool's fate, its items that are new, and the places of those that stand for another than before."""

    pool: Pool
    fate: Fate
    cause: str
    new: Mapping[str, NewItem]
    differing: Sequence[int] = ()


def dedupe_items(pools: Iterable[Pool], known: Mapping[str, KnownItem], limits: Limits) -> list[PoolVerdict]:
    """The fate of each pool, in order. An item repeated inside `pools` is a repeat."""
    stored = dict(known)
    window_millis = limits.event_retention_seconds * 1000
    verdicts = []
    for pool in pools:
        time_millis, has_id = pool.origin.time_millis, pool.request_id is not None
        new: dict[str, NewItem] = {}
        for key, item in pool.items.items():
            before = stored.get(key)
            if before is None or time_millis - before.time_millis > window_millis:
                new[key] = NewItem(item, digest_of(item) if has_id else None)
                stored[key] = KnownItem(time_millis, new[key].digest)
        verdicts.append(_verdict(pool, new, _differing(pool, new, stored) if has_id else ()))
    return verdicts


def _differing(pool: Pool, new: Mapping[str, NewItem], stored: Mapping[str, KnownItem]) -> Sequence[int]:
    """The places of the first items whose identity is known for another content; an old document says nothing."""
    found = (
        position
        for (key, item), position in zip(pool.items.items(), pool.positions, strict=True)
        if key not in new and stored[key].digest not in (None, digest_of(item))
    )
    return tuple(islice(found, MAX_DIFFERING))


def _verdict(pool: Pool, new: Mapping[str, NewItem], differing: Sequence[int]) -> PoolVerdict:
    if not pool.items:
        return PoolVerdict(pool, "refused", pool.cause, new)
    fate: Fate = "applied" if new else "duplicate"
    if differing:
        return PoolVerdict(pool, fate, PAYLOAD_DIFFERS, new, differing)
    return PoolVerdict(pool, fate, "" if new else ALREADY_UPDATED, new)
