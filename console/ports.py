"""The store that the console reads. Adapters: mongo.py, memory.py."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from console.queries.counts import Part
from console.queries.counts_query import Moment
from console.queries.events import Key, KeysWanted, Stored


class Unavailable(Exception):
    """MongoDB is unavailable. The same query may be sent again (503)."""


class TooSlow(Exception):
    """MongoDB stopped a query that took too long. The same query would take as long again (504)."""


class MomentGone(Exception):
    """MongoDB no longer keeps this moment."""


class Store(Protocol):
    """Each method raises Unavailable and TooSlow."""

    async def now(self) -> Moment:
        """The moment that shows everything written up to now."""
        ...

    def period_counts(self, part: Part, moment: Moment | None) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        """Yields the documents of a part, some at a time, in any order. Only those of cut hours have `minutes`.

        They are as they were at the moment, or without one as they are when they are read. Raises MomentGone.
        """
        ...

    async def event_keys(self, wanted: KeysWanted) -> Sequence[Key]:
        """The keys of the wanted events, newest first."""
        ...

    async def events(self, ids: Sequence[str]) -> Mapping[str, Stored]:
        """Events by `_id`, without those that were removed meanwhile."""
        ...

    async def ping(self) -> None:
        """Returns if MongoDB answers queries."""
        ...
