"""AddEvent's side of a flush: which items of a pool are new, what they are stored as, and how they count. Pure.

An item is its identity (A11): the `_id` of its document. Known means: a document of it stands there, written no
longer than event_retention ago by the records' own times, so that a recount agrees.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, NamedTuple, cast

from consumer.core.analytics.decode import Pool
from consumer.core.analytics.titles import NO_TITLE_WRITES, KnownTitles, Titles, TitleWrites
from consumer.core.windows import PeriodIncrement
from schemas.analytics.digest import digest_of
from schemas.analytics.items import Item
from schemas.coordinates import Coordinates, PartitionId
from schemas.documents import (
    ALREADY_UPDATED,
    PAYLOAD_DIFFERS,
    EventDocument,
    Fate,
    is_anonymous,
    period_count_key,
    utc,
)
from schemas.settings import Limits
from schemas.windows import bucket_of, start_of

SOURCE = "analytics"

Clock = Literal["future", "old"]

# Of a pool with other items than before under its requestId so many are named; a client mends them all alike.
MAX_DIFFERING = 10


class KnownItem(NamedTuple):
    """What is stored of an item: when (ms), and a digest of its content where its identity doesn't hold that."""

    time_millis: int
    digest: int | None = None


@dataclass(frozen=True, slots=True)
class KnownPools:
    """What the store knows: of the flush's items, and of its titles."""

    events: Mapping[str, KnownItem] = field(default_factory=dict)
    titles: KnownTitles = KnownTitles()  # noqa: RUF009 it is frozen


class PoolVerdict(NamedTuple):
    """A pool's fate, its items that are new, and the places of those that stand for another than before."""

    pool: Pool
    fate: Fate
    cause: str
    new: Mapping[str, Item]
    differing: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class PoolWrites:
    """What a flush writes for its pools. `replaced`: documents of items long forgotten."""

    events: Mapping[str, EventDocument]
    replaced: frozenset[str]
    titles: TitleWrites
    periods: Mapping[str, PeriodIncrement]
    others: int
    """Items that count as `(other)`."""


NO_POOLS = PoolWrites({}, frozenset(), NO_TITLE_WRITES, {}, 0)


def judge_pools(pools: Iterable[Pool], known: Mapping[str, KnownItem], limits: Limits) -> list[PoolVerdict]:
    """The fate of each pool, in order. An item repeated inside `pools` is a repeat."""
    stored = dict(known)
    window_millis = limits.event_retention_seconds * 1000
    verdicts = []
    for pool in pools:
        new = {
            key: item
            for key, item in pool.items.items()
            if key not in stored or pool.time_millis - stored[key].time_millis > window_millis
        }
        differing = _differing(pool, new, stored) if pool.request_id is not None else ()
        stored.update((key, KnownItem(pool.time_millis, _digest(pool, item))) for key, item in new.items())
        verdicts.append(_verdict(pool, new, differing))
    return verdicts


def _digest(pool: Pool, item: Item) -> int | None:
    """Without a request id an item's content is its identity (A11)."""
    return digest_of(item) if pool.request_id is not None else None


def _differing(pool: Pool, new: Mapping[str, Item], stored: Mapping[str, KnownItem]) -> Sequence[int]:
    """The places of the first items whose identity is known for another content; an old document says nothing."""
    found = (
        position
        for (key, item), position in zip(pool.items.items(), pool.positions, strict=True)
        if key not in new and stored[key].digest not in (None, digest_of(item))
    )
    return tuple(islice(found, MAX_DIFFERING))


def _verdict(pool: Pool, new: Mapping[str, Item], differing: Sequence[int]) -> PoolVerdict:
    if not pool.items:
        return PoolVerdict(pool, "refused", pool.cause, new)
    fate: Fate = "applied" if new else "duplicate"
    if differing:
        return PoolVerdict(pool, fate, PAYLOAD_DIFFERS, new, differing)
    return PoolVerdict(pool, fate, "" if new else ALREADY_UPDATED, new)


def write_pools(
    verdicts: Sequence[PoolVerdict], known: KnownPools, limits: Limits, partition: PartitionId
) -> PoolWrites:
    """Every document that the new items make."""
    titles = Titles(known.titles, limits, partition)
    events: dict[str, EventDocument] = {}
    sums: defaultdict[tuple[int, str, str], Counter[int]] = defaultdict(Counter)
    for verdict in verdicts:
        pool, own = verdict.pool, limits.for_app(verdict.pool.app)
        shared = _shared(pool, partition)
        for key, item in verdict.new.items():
            clock = clock_of(item.at_millis, pool.received_millis, own)
            events[key] = _event(key, item, clock, _digest(pool, item), shared)
            hour, minute = bucket_of(pool.received_millis if clock else item.at_millis)
            sums[hour, pool.app, titles.counted(pool, item.title)][minute] += 1
    return PoolWrites(
        events=events,
        replaced=frozenset(events.keys() & known.events.keys()),
        titles=titles.writes(),
        periods=dict(_increments(sums, partition)),
        others=titles.others,
    )


def clock_of(at_millis: int, received_millis: int, limits: Limits) -> Clock | None:
    """What is wrong with the client's clock, if anything is (A6). Equal to a limit passes."""
    if at_millis > received_millis + limits.clock_skew_tolerance_seconds * 1000:
        return "future"
    return "old" if received_millis - at_millis > limits.max_event_age_seconds * 1000 else None


def _shared(pool: Pool, partition: PartitionId) -> dict[str, Any]:
    """What the documents of a pool have in common."""
    shared = {
        "app": pool.app,
        "actor": pool.player,
        "anonymous": is_anonymous(pool.player),
        "receivedAt": utc(pool.time_millis),
        "from": str(Coordinates(*partition, pool.offset)),
    }
    optional = {"media": pool.media.info, "mediaRaw": pool.media.raw, "requestId": pool.request_id}
    return shared | {name: value for name, value in optional.items() if value is not None}


def _event(key: str, item: Item, clock: Clock | None, digest: int | None, shared: dict[str, Any]) -> EventDocument:
    own = {"_id": key, "at": utc(item.at_millis), "event": item.title, "data": item.data}
    if item.extra:
        own["extra"] = item.extra
    if clock:
        own["clock"] = clock
    if digest is not None:
        own["digest"] = digest
    return cast("EventDocument", own | shared)


def _increments(
    sums: Mapping[tuple[int, str, str], Mapping[int, int]], partition: PartitionId
) -> Iterator[tuple[str, PeriodIncrement]]:
    for (hour, app, title), minutes in sums.items():
        start = start_of(hour)
        by_minute = {f"{minute:02}": count for minute, count in minutes.items()}
        key = period_count_key(start, app, SOURCE, title, partition)
        yield key, PeriodIncrement(start, app, SOURCE, title, by_minute)
