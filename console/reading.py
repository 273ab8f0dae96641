"""The two queries, from a request to a reply; every step in the order of the checks.

Token 401 -> scope 403 -> parameters 400 -> another app's 403 -> its turn 503 -> MongoDB 503, 504.
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

# Events are read so many at a time, so that a page that grows too large is noticed in time.
EVENTS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Parts:
    """All that answering takes."""

    settings: ConsoleSettings
    authenticator: Authenticator
    store: Store
    gate: Gate
    metrics: Metrics

    async def asked(self, request: Request, known: Sequence[str]) -> tuple[str, Parameters]:
        """The app that is asked about, and how. Raises Refused, BadQuery."""
        reader = await self.authenticator.reader(request.bearer, request.wall_millis / 1000)
        parameters = parameters_of(request.target.query_string, known)
        if parameters.get("app", reader.app) != reader.app:
            raise Refused(Refusal.OTHER_APP)
        return reader.app, parameters

    @asynccontextmanager
    async def querying(self, route: str) -> AsyncIterator[None]:
        """A turn at MongoDB. Raises Refused."""
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
def _bad_query_refused() -> Iterator[None]:
    """Raises Refused for a BadQuery."""
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
        with _bad_query_refused():
            app, parameters = await parts.asked(request, counts.PARAMETERS)
            query = counts.counts_query(parameters, app, settings.max_rows, settings.max_range_days)
        async with parts.querying(COUNTS):
            page = await self._page(query)
        parts.metrics.read(COUNTS, page.documents)
        return json_reply(200, page.answer(), spaced=True)

    async def _page(self, query: CountsQuery) -> CountsPage:
        """Of the moment of the pages before it, while MongoDB has it; else of now; of none where it keeps none."""
        store = self._parts.store
        if query.moment is not None:
            with suppress(MomentGone):
                return await self._read(query, query.moment)
        with suppress(MomentGone):
            return await self._read(query, await store.now())
        return await self._read(query, None)

    async def _read(self, query: CountsQuery, moment: Moment | None) -> CountsPage:
        """Raises MomentGone."""
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
        with _bad_query_refused():
            app, parameters = await parts.asked(request, events.PARAMETERS)
            query = events.events_query(parameters, app, settings.max_rows, settings.max_range_days)
        page = KeysPage(query)
        async with parts.querying(EVENTS):
            while page.wanted:
                page.add(await parts.store.event_keys(page.wanted))
            held, last = await self._events(page.keys)
        parts.metrics.read(EVENTS, len(held))
        return json_reply(200, events.events_answer(query, page, held, last), spaced=True)

    async def _events(self, keys: Sequence[Key]) -> tuple[list[Stored], Key | None]:
        """The events of these keys, as many as a page holds, and the key of the last one."""
        held: list[Stored] = []
        last, size_bytes = None, 0
        for begin in range(0, len(keys), EVENTS_AT_ONCE):
            some = keys[begin : begin + EVENTS_AT_ONCE]
            found = await self._parts.store.events([key.id for key in some])
            for key in some:
                stored = found.get(key.id)
                size_bytes += stored.size_bytes if stored else 0
                if held and size_bytes > self._parts.settings.max_page_bytes:
                    return held, last
                held += [stored] if stored else []
                last = key
        return held, last
