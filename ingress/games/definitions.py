"""Which events an app has declared: a cache that never says NOT_FOUND before it has looked in MongoDB (G11).

A known id costs nothing. An unknown one is looked for once a second at most, whoever asks, and one look per app is
under way at a time: it reads all of the app's definitions, so that made-up ids cost no more than that.

What was written to MongoDB since - a text, a retirement - is noticed within POLL_SECONDS: one query over the newest
`updatedAt`s says which apps have changed, and those held here are read again.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from cachetools import LRUCache, TTLCache

from ingress.ports import AppChange, DefinitionStore, Unavailable
from schemas.documents import Definition, millis_of
from schemas.games.judging import matches_id
from serving.clock import Clock

log = structlog.get_logger()

# Definitions that are kept, of the apps last asked for; one with texts in three languages is about 3 KB.
MAX_DEFINITIONS = 25_000
# How long "there is no such definition" is believed, and of how many ids.
NOT_FOUND_SECONDS = 1
MAX_NOT_FOUND = 10_000
# How often it is asked what has changed: a client sees it within 5 s.
POLL_SECONDS = 2
# How far the clocks of MongoDB's primaries may differ, one after another, or a write may be late to be seen.
OVERLAP_MILLIS = 60_000
# A change that left no `updatedAt`, written by other means, is noticed by an app's traffic this much later.
REFRESH_SECONDS = 10
# What is read at the start, so that an outage of MongoDB after it hurts no app that was declared before it.
PRELOAD_DEFINITIONS = 20_000
PRELOAD_RETRY_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Terms:
    """An app's definitions, cut into spans of time within which the same ones are in force."""

    spans: tuple[tuple[int, frozenset[str]], ...]

    def at(self, millis: int) -> frozenset[str]:
        """The ids in force then. Nearly always the last span."""
        for start, ids in reversed(self.spans):
            if millis >= start:
                return ids
        return frozenset()


def terms_of(definitions: Iterable[Definition]) -> Terms:
    held = tuple(definitions)
    edges = sorted({edge for one in held for edge in _edges(one)})
    return Terms(tuple((millis_of(edge), _in_force(held, edge)) for edge in edges))


def _edges(definition: Definition) -> Iterator[datetime]:
    yield definition.declared_at
    if definition.retired_at:
        yield definition.retired_at
    for term in definition.earlier:
        yield from (term.declared_at, term.retired_at)


def _in_force(definitions: Sequence[Definition], at: datetime) -> frozenset[str]:
    return frozenset(one.definition_id for one in definitions if one.in_force(at))


@dataclass(frozen=True, slots=True)
class _Known:
    terms: Terms
    definitions: Mapping[str, Definition]
    read_seconds: float


def _size(known: _Known) -> int:
    """What an app counts for; none is too large to be kept."""
    return min(len(known.definitions) + 1, MAX_DEFINITIONS)


class Definitions:
    """The definitions of every app that records here."""

    def __init__(self, store: DefinitionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._apps: LRUCache[str, _Known] = LRUCache(MAX_DEFINITIONS, getsizeof=_size)
        self._not_found: TTLCache[tuple[str, str], None] = TTLCache(
            MAX_NOT_FOUND, NOT_FOUND_SECONDS, clock.monotonic_seconds
        )
        self._looks: dict[str, asyncio.Task[Terms]] = {}
        self._preloaded = False
        self._changes: Mapping[str, AppChange] = {}

    @property
    def ready(self) -> bool:
        """MongoDB has been read once."""
        return self._preloaded

    async def declared(self, app: str, at_millis: int, wanted: Collection[str]) -> frozenset[str]:
        """The ids of `app` in force at `at_millis`, surely right about those `wanted`. Raises Unavailable."""
        known = self._apps.get(app)
        if known is not None:
            ids = known.terms.at(at_millis)
            if not self._to_look_for(app, ids, wanted):
                self._refresh_if_old(app, known)
                return ids
        ids = (await self._look(app)).at(at_millis)
        for missing in self._to_look_for(app, ids, wanted):
            self._not_found[app, missing] = None
        return ids

    def known(self, app: str) -> Mapping[str, Definition]:
        """What is held of `app` by definitionId, retired ones too, without asking MongoDB; perhaps nothing."""
        held = self._apps.get(app)
        return held.definitions if held else {}

    async def of(self, app: str) -> Mapping[str, Definition]:
        """All definitions of `app` by definitionId, retired ones too. Raises Unavailable."""
        if app not in self._apps:
            await self._look(app)
        return self.known(app)

    def _to_look_for(self, app: str, ids: frozenset[str], wanted: Collection[str]) -> list[str]:
        """Wanted ids that may have been declared since; what can't be an id needn't be looked for."""
        return [one for one in wanted if one not in ids and (app, one) not in self._not_found and matches_id(one)]

    def _refresh_if_old(self, app: str, known: _Known) -> None:
        if self._clock.monotonic_seconds() - known.read_seconds > REFRESH_SECONDS and app not in self._looks:
            self._start_look(app)

    async def _look(self, app: str) -> Terms:
        """Read the app's definitions, by a query that begins after this call: an older one may have missed it."""
        if under_way := self._looks.get(app):
            await asyncio.wait((under_way,))
        return await asyncio.shield(self._looks.get(app) or self._start_look(app))

    def _start_look(self, app: str) -> asyncio.Task[Terms]:
        look = self._looks[app] = asyncio.create_task(self._read(app))
        look.add_done_callback(lambda done: self._ended(app, done))
        return look

    def _ended(self, app: str, look: asyncio.Task[Terms]) -> None:
        self._looks.pop(app, None)
        if not look.cancelled() and look.exception():
            log.debug("definitions_not_read", app=app, error=str(look.exception()))

    async def _read(self, app: str) -> Terms:
        return self._keep(app, await self._store.definitions(app)).terms

    def _keep(self, app: str, found: Sequence[Definition]) -> _Known:
        by_id = {one.definition_id: one for one in found}
        known = self._apps[app] = _Known(terms_of(found), by_id, self._clock.monotonic_seconds())
        return known

    async def keep(self) -> None:
        """Read all, then what changes, until cancelled."""
        await self.preload()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.poll()
            except Unavailable as error:
                log.debug("definitions_not_read", error=str(error))

    async def poll(self) -> None:
        """Read again what has changed since the last poll. Raises Unavailable: the next one asks for the same."""
        newest = max((change.newest_millis for change in self._changes.values()), default=0)
        found = await self._store.changed_apps(max(newest - OVERLAP_MILLIS, 0))
        for app, change in found.items():
            # A look that is under way may have begun before the change.
            if change != self._changes.get(app) and (app in self._apps or app in self._looks):
                await self._look(app)
                log.info("definitions_changed", app=app)
        self._changes = found

    async def preload(self) -> None:
        """Read what all apps have declared; tries until MongoDB answers."""
        while not self._preloaded:
            try:
                # In this order: what is written in between will be found changed by the next poll.
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
