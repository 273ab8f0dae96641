"""What all queries share, and the queries of counts and events, from a request to a reply.

The checks run in this order (Q1): token 401, scope 403, parameters 400, another app 403, turn 503, MongoDB 503 or 504.
"""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from console.access.callers import Callers
from console.config import ConsoleSettings
from console.gate import Gate
from console.metrics import COUNTS, EVENTS, Metrics
from console.ports import MomentGone, Store, TooSlow, Unavailable
from console.queries import counts_query, events
from console.queries.counts import CountsPage, TooMuch
from console.queries.counts_query import CountsQuery, Moment
from console.queries.csv_text import CSV_TYPE, csv_of, prefers_csv
from console.queries.events import Key, KeysPage, Stored
from console.queries.parameters import Asked, asked_of
from schemas.errors.table import Refusal
from schemas.wire.console_replies import OPERATE_SCOPE, READ_SCOPE
from serving.http.query import BadQuery
from serving.http.replies import json_reply
from serving.http.reply import Reply
from serving.http.request import Request
from serving.refused import Refused

T = TypeVar("T")

VARY: Final = (b"vary", b"Accept")

# In one read. A page that grows too large is noticed after one such read.
EVENTS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Parts:
    """What all queries share."""

    settings: ConsoleSettings
    callers: Callers
    store: Store
    gate: Gate
    metrics: Metrics

    async def asked(
        self, request: Request, known: Sequence[str], reading: Callable[[Asked], T], scope: str = READ_SCOPE
    ) -> T:
        """The query that `reading` makes of the parameters. Raises Refused."""
        caller = await self.callers.allowed(request, scope)
        operates = OPERATE_SCOPE in caller.scopes
        try:
            asked = asked_of(request.target.query_string, known, caller.app, operates=operates)
            query = reading(asked)
        except BadQuery as error:
            raise Refused(Refusal.BAD_QUERY, error.violations) from error
        if asked.app != caller.app and not operates:
            raise Refused(Refusal.OTHER_APP)
        return query

    @asynccontextmanager
    async def querying(self, route: str) -> AsyncIterator[None]:
        """A turn to query MongoDB, measured. Raises Refused, also for the store's exceptions."""
        start = time.monotonic()
        try:
            async with self.gate.turn():
                yield
        except Unavailable as error:
            raise Refused(Refusal.AWAY) from error
        except (TooSlow, TooMuch) as error:
            raise Refused(Refusal.QUERY_SLOW) from error
        finally:
            self.metrics.queried(route, time.monotonic() - start)


class Counts:
    """`GET /v1/counts`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, request: Request) -> Reply:
        parts, settings, as_csv = self._parts, self._parts.settings, prefers_csv(request.headers.get(b"accept"))
        # A program follows the pages of JSON. A person who saves a CSV expects all of it.
        rows = settings.max_rows if as_csv else counts_query.DEFAULT_ROWS

        def reading(asked: Asked) -> CountsQuery:
            return counts_query.counts_query(asked, rows, settings.max_rows, settings.max_range_days)

        query = await parts.asked(request, counts_query.PARAMETERS, reading)
        async with parts.querying(COUNTS):
            page = await self._page(query)
        parts.metrics.read(COUNTS, page.documents)
        return _csv_reply(query, page) if as_csv else json_reply(200, page.answer(), spaced=True).having(VARY)

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


def _csv_reply(query: CountsQuery, page: CountsPage) -> Reply:
    """Header fields have what JSON has beside the rows."""
    fields = ((b"tallymill-as-of", page.as_of), (b"tallymill-next-page-token", page.next_token))
    headers = ((name, value.encode()) for name, value in fields if value)
    return Reply(200, csv_of(page.rows, query.shape.zone), ((b"content-type", CSV_TYPE), VARY, *headers))


class Events:
    """`GET /v1/events`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, request: Request) -> Reply:
        parts, settings = self._parts, self._parts.settings

        def reading(asked: Asked) -> events.EventsQuery:
            return events.events_query(asked, settings.max_rows, settings.max_range_days)

        query = await parts.asked(request, events.PARAMETERS, reading)
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
