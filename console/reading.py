"""The two queries, from a request to a reply.

The checks run in this order (Q1): token 401, scope 403, parameters 400, another app 403, turn 503, MongoDB 503 or 504.
"""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

from console.auth import Authenticator
from console.config import ConsoleSettings
from console.gate import Gate
from console.metrics import COUNTS, EVENTS, Metrics
from console.ports import MomentGone, Store, TooSlow, Unavailable
from console.queries import counts, events
from console.queries.counts import CountsPage, CountsQuery, Moment
from console.queries.events import Key, KeysPage, Stored
from console.queries.parameters import Parameters, parameters_of
from schemas.errors.table import Refusal
from serving.http.query import BadQuery
from serving.http.replies import json_reply
from serving.http.reply import Reply
from serving.http.request import Request
from serving.refused import Refused

# In one read. A page that grows too large is noticed after one such read.
EVENTS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Parts:
    """What both queries share."""

    settings: ConsoleSettings
    authenticator: Authenticator
    store: Store
    gate: Gate
    metrics: Metrics

    async def checked(self, request: Request, known: Sequence[str]) -> tuple[str, Parameters]:
        """The app to read, and the query's parameters. Raises Refused, BadQuery."""
        reader = await self.authenticator.reader(request.bearer, request.wall_millis / 1000)
        parameters = parameters_of(request.target.query_string, known)
        if parameters.get("app", reader.app) != reader.app:
            raise Refused(Refusal.OTHER_APP)
        return reader.app, parameters

    @asynccontextmanager
    async def querying(self, route: str) -> AsyncIterator[None]:
        """A turn to query MongoDB, measured. Raises Refused, also for the store's exceptions."""
        start = time.monotonic()
        try:
            async with self.gate.turn():
                yield
        except Unavailable as error:
            raise Refused(Refusal.AWAY) from error
        except TooSlow as error:
            raise Refused(Refusal.QUERY_SLOW) from error
        finally:
            self.metrics.queried(route, time.monotonic() - start)


@contextmanager
def bad_query_refused() -> Iterator[None]:
    """Turns a BadQuery into a refusal."""
    try:
        yield
    except BadQuery as error:
        raise Refused(Refusal.BAD_QUERY, error.violations) from error


class Counts:
    """`GET /v1/counts`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, request: Request) -> Reply:
        parts, settings = self._parts, self._parts.settings
        with bad_query_refused():
            app, parameters = await parts.checked(request, counts.PARAMETERS)
            query = counts.counts_query(parameters, app, settings.max_rows, settings.max_range_days)
        async with parts.querying(COUNTS):
            page = await self._page(query)
        parts.metrics.read(COUNTS, page.documents)
        return json_reply(200, page.answer(), spaced=True)

    async def _page(self, query: CountsQuery) -> CountsPage:
        """The page at the moment of the pages before it, or else at a new moment, or else at none.

        MongoDB keeps a moment for minutes. Some deployments keep none: their counts are as they are when they are read.
        """
        store = self._parts.store
        if query.moment is not None:
            with suppress(MomentGone):
                return await self._read(query, query.moment)
        with suppress(MomentGone):
            return await self._read(query, await store.now())
        return await self._read(query, None)

    async def _read(self, query: CountsQuery, moment: Moment | None) -> CountsPage:
        """The page at one moment. Raises MomentGone."""
        settings = self._parts.settings
        page = CountsPage(query, settings.max_scanned_documents, moment)
        give_up = time.monotonic() + settings.query_timeout_seconds
        while page.wanted:
            async for documents in self._parts.store.period_counts(page.wanted, moment):
                page.add(documents)
            page.close(ends=time.monotonic() > give_up)
        return page


class Events:
    """`GET /v1/events`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, request: Request) -> Reply:
        parts, settings = self._parts, self._parts.settings
        with bad_query_refused():
            app, parameters = await parts.checked(request, events.PARAMETERS)
            query = events.events_query(parameters, app, settings.max_rows, settings.max_range_days)
        page = KeysPage(query)
        async with parts.querying(EVENTS):
            while page.wanted:
                page.add(await parts.store.event_keys(page.wanted))
            shown, last = await self._events(page.keys)
        parts.metrics.read(EVENTS, len(shown))
        return json_reply(200, events.events_answer(query, page, shown, last), spaced=True)

    async def _events(self, keys: Sequence[Key]) -> tuple[list[Stored], Key | None]:
        """The events of these keys, until the page is full, and the last key that was read."""
        shown: list[Stored] = []
        last, size_bytes = None, 0
        for begin in range(0, len(keys), EVENTS_AT_ONCE):
            some = keys[begin : begin + EVENTS_AT_ONCE]
            found = await self._parts.store.events([key.id for key in some])
            for key in some:
                stored = found.get(key.id)
                size_bytes += stored.size_bytes if stored else 0
                if shown and size_bytes > self._parts.settings.max_page_bytes:
                    return shown, last
                shown += [stored] if stored else []
                last = key
        return shown, last
