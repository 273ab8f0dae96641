"""Which events an app has declared: a cache that never says NOT_FOUND before it has looked in MongoDB (G11).

A known id costs nothing. An unknown one is looked for once a second at most, whoever asks, and one look per app is
under way at a time: it reads all of the app's definitions, so that made-up ids cost no more than that.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import structlog
from cachetools import LRUCache, TTLCache

from ingress.clock import Clock
from ingress.ports import DefinitionStore, DefinitionTerm, Unavailable
from schemas.judging import matches_id

log = structlog.get_logger()

# Apps whose definitions are kept; a definition here is about 300 bytes, an app has tens of them.
MAX_APPS = 10_000
# How long "there is no such definition" is believed, and of how many ids.
NOT_FOUND_SECONDS = 1
MAX_NOT_FOUND = 10_000
# A definition that was retired is noticed this much later at most (a new one at once: it is looked for).
REFRESH_SECONDS = 10
# What is read at the start, so that an outage of MongoDB after it hurts no app that was declared before it.
PRELOAD_DEFINITIONS = 50_000
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


def terms_of(definitions: Iterable[DefinitionTerm]) -> Terms:
    held = tuple(definitions)
    edges = sorted({edge for d in held for edge in (d.from_millis, d.to_millis) if edge is not None})
    return Terms(tuple((edge, _in_force(held, edge)) for edge in edges))


def _in_force(definitions: Sequence[DefinitionTerm], millis: int) -> frozenset[str]:
    return frozenset(
        d.definition_id
        for d in definitions
        if d.from_millis <= millis and (d.to_millis is None or millis < d.to_millis)
    )


@dataclass(frozen=True, slots=True)
class _Known:
    terms: Terms
    read_seconds: float


class Definitions:
    """The definitions of every app that records here."""

    def __init__(self, store: DefinitionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._apps: LRUCache[str, _Known] = LRUCache(MAX_APPS)
        self._not_found: TTLCache[tuple[str, str], None] = TTLCache(MAX_NOT_FOUND, NOT_FOUND_SECONDS, clock.seconds)
        self._looks: dict[str, asyncio.Task[Terms]] = {}
        self._preloaded = False

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

    def _to_look_for(self, app: str, ids: frozenset[str], wanted: Collection[str]) -> list[str]:
        """Wanted ids that may have been declared since; what can't be an id needn't be looked for."""
        return [one for one in wanted if one not in ids and (app, one) not in self._not_found and matches_id(one)]

    def _refresh_if_old(self, app: str, known: _Known) -> None:
        if self._clock.seconds() - known.read_seconds > REFRESH_SECONDS and app not in self._looks:
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
        terms = terms_of(await self._store.definitions(app))
        self._apps[app] = _Known(terms, self._clock.seconds())
        return terms

    async def preload(self) -> None:
        """Read what all apps have declared; tries until MongoDB answers."""
        while not self._preloaded:
            try:
                by_app = await self._store.all_definitions(PRELOAD_DEFINITIONS)
            except Unavailable as error:
                log.warning("definitions_not_read", error=str(error))
                await asyncio.sleep(PRELOAD_RETRY_SECONDS)
                continue
            for app, definitions in by_app.items():
                self._apps[app] = _Known(terms_of(definitions), self._clock.seconds())
            self._preloaded = True
            log.info("definitions_read", apps=len(by_app))
