"""AddEvent's side of a flush: which items of a pool are new, what they are stored as, and how they count. Pure.

An item is its identity (A11): the `_id` of its document. Known means: a document of it stands there, written no
longer than event_retention ago by the records' own times, so that a recount agrees.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

from consumer.core.aggregate import PeriodIncrement
from consumer.core.buckets import bucket_of, start_of
from consumer.core.pools import Pool
from schemas.coordinates import Coordinates, PartitionId
from schemas.documents import (
    ALREADY_UPDATED,
    EventDocument,
    Fate,
    TitleDocument,
    period_count_key,
    title_key,
    utc,
)
from schemas.items import OTHER_TITLE, Item
from schemas.settings import Limits

SOURCE = "analytics"

Clock = Literal["future", "old"]


@dataclass(frozen=True, slots=True)
class KnownPools:
    """What the store knows: items and when they were stored (ms), titles registered, and how many an app has."""

    events: Mapping[str, int] = field(default_factory=dict)
    titles: frozenset[str] = frozenset()
    title_counts: Mapping[str, int] = field(default_factory=dict)


class PoolVerdict(NamedTuple):
    """A pool's fate, and its items that are new."""

    pool: Pool
    fate: Fate
    cause: str
    new: Mapping[str, Item]


@dataclass(frozen=True, slots=True)
class PoolWrites:
    """What a flush writes for its pools. `replaced`: documents of items long forgotten."""

    events: Mapping[str, EventDocument]
    replaced: frozenset[str]
    titles: Mapping[str, TitleDocument]
    title_counts: Mapping[str, int]
    periods: Mapping[str, PeriodIncrement]
    others: int
    """Items that count as `(other)`."""


NO_POOLS = PoolWrites({}, frozenset(), {}, {}, {}, 0)


def judge_pools(pools: Iterable[Pool], known: Mapping[str, int], limits: Limits) -> list[PoolVerdict]:
    """The fate of each pool, in order. An item repeated inside `pools` is a repeat."""
    stored = dict(known)
    window_millis = limits.event_retention_seconds * 1000
    verdicts = []
    for pool in pools:
        new = {
            key: item
            for key, item in pool.items.items()
            if key not in stored or pool.time_millis - stored[key] > window_millis
        }
        stored.update(dict.fromkeys(new, pool.time_millis))
        verdicts.append(_verdict(pool, new))
    return verdicts


def _verdict(pool: Pool, new: Mapping[str, Item]) -> PoolVerdict:
    if not pool.items:
        return PoolVerdict(pool, "refused", pool.cause, new)
    return PoolVerdict(pool, "applied", "", new) if new else PoolVerdict(pool, "duplicate", ALREADY_UPDATED, new)


def write_pools(
    verdicts: Sequence[PoolVerdict], known: KnownPools, limits: Limits, partition: PartitionId
) -> PoolWrites:
    """Every document that the new items make."""
    titles = _Titles(known, limits)
    events: dict[str, EventDocument] = {}
    sums: defaultdict[tuple[int, str, str], Counter[int]] = defaultdict(Counter)
    for verdict in verdicts:
        pool, own = verdict.pool, limits.for_app(verdict.pool.app)
        shared = _shared(pool, partition)
        for key, item in verdict.new.items():
            clock = clock_of(item.at_millis, pool.received_millis, own)
            events[key] = _event(key, item, clock, shared)
            hour, minute = bucket_of(pool.received_millis if clock else item.at_millis)
            sums[hour, pool.app, titles.counted(pool, item.title, partition)][minute] += 1
    return PoolWrites(
        events=events,
        replaced=frozenset(events.keys() & known.events.keys()),
        titles=titles.registered,
        title_counts=titles.added,
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
        "actor": pool.actor,
        "anonymous": pool.actor.startswith("~"),
        "receivedAt": utc(pool.time_millis),
        "from": str(Coordinates(*partition, pool.offset)),
    }
    optional = {"media": pool.media.info, "mediaRaw": pool.media.raw, "requestId": pool.request_id}
    return shared | {name: value for name, value in optional.items() if value is not None}


def _event(key: str, item: Item, clock: Clock | None, shared: dict[str, Any]) -> EventDocument:
    own = {"_id": key, "at": utc(item.at_millis), "event": item.title, "data": item.data}
    if item.extra:
        own["extra"] = item.extra
    if clock:
        own["clock"] = clock
    return cast("EventDocument", own | shared)


class _Titles:
    """The registry of an app's titles while a flush is planned: who comes past max_titles counts as `(other)`."""

    def __init__(self, known: KnownPools, limits: Limits) -> None:
        self._known = known
        self._limits = limits
        self.registered: dict[str, TitleDocument] = {}
        self.added: Counter[str] = Counter()
        self.others = 0

    def counted(self, pool: Pool, title: str, partition: PartitionId) -> str:
        """What an item of this title counts as."""
        key = title_key(pool.app, title)
        if key in self._known.titles or key in self.registered:
            return title
        if (
            self._known.title_counts.get(pool.app, 0) + self.added[pool.app]
            >= self._limits.for_app(pool.app).max_titles
        ):
            self.others += 1
            return OTHER_TITLE
        self.registered[key] = {"_id": key, "from": str(Coordinates(*partition, pool.offset))}
        self.added[pool.app] += 1
        return title


def _increments(
    sums: Mapping[tuple[int, str, str], Mapping[int, int]], partition: PartitionId
) -> Iterator[tuple[str, PeriodIncrement]]:
    for (hour, app, title), minutes in sums.items():
        start = start_of(hour)
        by_minute = {f"{minute:02}": count for minute, count in minutes.items()}
        key = period_count_key(start, app, SOURCE, title, partition)
        yield key, PeriodIncrement(start, app, SOURCE, title, by_minute)
