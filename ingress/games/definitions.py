"""Which events an app has declared: a cache that reads MongoDB before it answers NOT_FOUND (G11).

A known id costs no query. An unknown id causes at most one query a second, and at most one query an app runs at a time:
it reads all definitions of the app, so that invented ids cost no more than that.

A change in MongoDB, of a text or by a retirement, is noticed within POLL_SECONDS: one query over the newest `updatedAt`
tells which apps have changed, and those in the cache are read again.
"""

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from cachetools import LRUCache, TTLCache

from ingress.ports import AppChange, DefinitionStore, Unavailable
from schemas.definitions import Definition
from schemas.documents import millis_of
from schemas.games.judging import matches_id
from serving.clock import Clock

log = structlog.get_logger()

# Definitions in the cache, of the apps used last. One with texts in three languages is about 3 KB.
MAX_DEFINITIONS = 25_000
# How long an id stays known as not declared, and how many such ids are kept.
NOT_FOUND_SECONDS = 1
MAX_NOT_FOUND = 10_000
# How often changes are read: a client sees them within 5 s.
POLL_SECONDS = 2
# How far the clocks of two successive primaries may differ, or a write may become visible late.
OVERLAP_MILLIS = 60_000
# A change without `updatedAt`, written by another program, is noticed by the app's traffic after this time.
REFRESH_SECONDS = 10
# Definitions read at the start, so that a later outage of MongoDB does not affect apps declared before it.
PRELOAD_DEFINITIONS = 20_000
PRELOAD_RETRY_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Terms:
    """An app's definitions as spans of time; within each the same ids are declared."""

    spans: tuple[tuple[int, frozenset[str]], ...]

    def at(self, millis: int) -> frozenset[str]:
        """The ids declared then. Nearly always those of the last span."""
        for start, ids in reversed(self.spans):
            if millis >= start:
                return ids
        return frozenset()


def terms_of(definitions: Iterable[Definition]) -> Terms:
    every = tuple(definitions)
    edges = sorted({edge for one in every for edge in _edges(one)})
    return Terms(tuple((millis_of(edge), _declared_at(every, edge)) for edge in edges))


def _edges(definition: Definition) -> Iterator[datetime]:
    yield definition.declared_at
    if definition.retired_at:
        yield definition.retired_at
    for term in definition.earlier:
        yield from (term.declared_at, term.retired_at)


def _declared_at(definitions: Sequence[Definition], at: datetime) -> frozenset[str]:
    return frozenset(one.definition_id for one in definitions if one.in_force(at))


@dataclass(frozen=True, slots=True)
class _Known:
    terms: Terms
    definitions: Mapping[str, Definition]
    read_seconds: float


def _size(known: _Known) -> int:
    """How much of MAX_DEFINITIONS an app takes. No app is too large to be kept."""
    return min(len(known.definitions) + 1, MAX_DEFINITIONS)


class Definitions:
    """The definitions of all apps that record here."""

    def __init__(self, store: DefinitionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._apps: LRUCache[str, _Known] = LRUCache(MAX_DEFINITIONS, getsizeof=_size)
        self._not_found: TTLCache[tuple[str, str], None] = TTLCache(
            MAX_NOT_FOUND, NOT_FOUND_SECONDS, clock.monotonic_seconds
        )
        self._reads: dict[str, asyncio.Task[Terms]] = {}
        self._preloaded = False
        self._changes: Mapping[str, AppChange] = {}

    @property
    def ready(self) -> bool:
        """Whether MongoDB has been read once."""
        return self._preloaded

    async def declared(self, app: str, at_millis: int, wanted: Collection[str]) -> frozenset[str]:
        """The ids of `app` declared at `at_millis`. About those `wanted` it is up to date. Raises Unavailable."""
        cached = self.declared_at_once(app, at_millis, wanted)
        if cached is not None:
            return cached
        ids = (await self._read_again(app)).at(at_millis)
        for missing in self._to_read(app, ids, wanted):
            self._not_found[app, missing] = None
        return ids

    def declared_at_once(self, app: str, at_millis: int, wanted: Collection[str]) -> frozenset[str] | None:
        """The same if the cache is up to date about those `wanted`, as it nearly always is; None otherwise."""
        known = self._apps.get(app)
        if known is None:
            return None
        ids = known.terms.at(at_millis)
        if not ids.issuperset(wanted) and self._to_read(app, ids, wanted):
            return None
        if self._clock.monotonic_seconds() - known.read_seconds > REFRESH_SECONDS and app not in self._reads:
            self._start_read(app)
        return ids

    def known(self, app: str) -> Mapping[str, Definition]:
        """The cached definitions of `app` by definitionId, also retired ones. Does not ask MongoDB; may be empty."""
        cached = self._apps.get(app)
        return cached.definitions if cached else {}

    async def of(self, app: str) -> Mapping[str, Definition]:
        """All definitions of `app` by definitionId, also retired ones. Raises Unavailable."""
        if app not in self._apps:
            await self._read_again(app)
        return self.known(app)

    def _to_read(self, app: str, ids: frozenset[str], wanted: Collection[str]) -> list[str]:
        """The wanted ids that may have been declared since the last read. Malformed ids can't have been."""
        return [one for one in wanted if one not in ids and (app, one) not in self._not_found and matches_id(one)]

    async def _read_again(self, app: str) -> Terms:
        """Read the app's definitions by a query that begins after this call. An older one may miss a new definition."""
        if running := self._reads.get(app):
            await asyncio.wait((running,))
        return await asyncio.shield(self._reads.get(app) or self._start_read(app))

    def _start_read(self, app: str) -> asyncio.Task[Terms]:
        read = self._reads[app] = asyncio.create_task(self._read(app))
        read.add_done_callback(lambda done: self._ended(app, done))
        return read

    def _ended(self, app: str, read: asyncio.Task[Terms]) -> None:
        self._reads.pop(app, None)
        if not read.cancelled():
            read.exception()  # marks it as retrieved: it goes to those who wait for the read, and they may have left

    async def _read(self, app: str) -> Terms:
        return self._keep(app, await self._store.definitions(app)).terms

    def _keep(self, app: str, found: Sequence[Definition]) -> _Known:
        by_id = {one.definition_id: one for one in found}
        known = self._apps[app] = _Known(terms_of(found), by_id, self._clock.monotonic_seconds())
        return known

    async def run(self) -> None:
        """Read all definitions, then the changes, until cancelled."""
        await self.preload()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            with contextlib.suppress(Unavailable):
                await self.poll()

    async def poll(self) -> None:
        """Read what has changed since the last poll. Raises Unavailable; the next poll repeats the query."""
        newest = max((change.newest_millis for change in self._changes.values()), default=0)
        found = await self._store.changed_apps(max(newest - OVERLAP_MILLIS, 0))
        for app, change in found.items():
            # A read that is running may have begun before the change.
            if change != self._changes.get(app) and (app in self._apps or app in self._reads):
                await self._read_again(app)
                log.info("definitions_changed", app=app)
        self._changes = found

    async def preload(self) -> None:
        """Read the definitions of all apps. Retries until MongoDB answers."""
        while not self._preloaded:
            try:
                # In this order: a write in between is found as a change by the next poll.
                self._changes = await self._store.changed_apps(0)
                by_app = await self._store.all_definitions(PRELOAD_DEFINITIONS)
            except Unavailable as error:
                if not error.lost:
                    log.warning("definitions_not_read", reason=str(error))
                await asyncio.sleep(PRELOAD_RETRY_SECONDS)
                continue
            for app, definitions in by_app.items():
                self._keep(app, definitions)
            self._preloaded = True
            log.info("definitions_read", apps=len(by_app))
