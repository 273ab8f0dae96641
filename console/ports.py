"""The store that the console reads. Adapters: mongo.py, memory.py."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from console.queries.counts import Part
from console.queries.counts_query import Moment
from console.queries.events import Key, KeysWanted, Stored
from console.queries.finds import PlaceFound, PlayerFound
from console.queries.lists import AppFound, Document, ListQuery
from schemas.coordinates import Coordinates


class Unavailable(Exception):
    """MongoDB is unavailable. The same query may be sent again (503)."""


class TooSlow(Exception):
    """MongoDB stopped a query that took too long. The same query would take as long again (504)."""


class MomentGone(Exception):
    """MongoDB no longer keeps this moment."""


class Lookups(Protocol):
    """The documents of the lists and of the single look-ups. Each method raises Unavailable and TooSlow."""

    async def apps(self, after: str | None, limit: int) -> Sequence[AppFound]:
        """Apps that have definitions or counts, in the order of `app/`."""
        ...

    async def app(self, name: str) -> AppFound:
        """One app, whether it has anything or not."""
        ...

    async def definitions(self, app: str, after: str | None, limit: int) -> Sequence[Document]:
        """Definitions of an app, retired ones too, by `_id`."""
        ...

    async def refusals(self, query: ListQuery) -> Sequence[Document]:
        """Samples of refusals, newest first, one more than the limit."""
        ...

    async def refusal_causes(self, query: ListQuery) -> Mapping[str, int]:
        """The number of all samples by cause."""
        ...

    async def dead_letters(self, query: ListQuery) -> Sequence[Document]:
        """Dead letters without their bytes but with their `size`, newest first, one more than the limit."""
        ...

    async def topics(self) -> Mapping[str, str]:
        """The topic of each lineage."""
        ...

    async def player(self, app: str, player: str) -> PlayerFound:
        """A player's document, and whether there are events."""
        ...

    async def requests(self, key: str) -> Sequence[Document]:
        """Documents of `requests` that may have an id."""
        ...

    async def event_records(self, ids: Sequence[str]) -> Sequence[Document]:
        """The fields `receivedAt` and `from` of events."""
        ...

    async def place(self, coordinates: Coordinates) -> PlaceFound:
        """What is known of a record's place. What is read after the checkpoint is at least as new."""
        ...


class Store(Protocol):
    """Each method raises Unavailable and TooSlow."""

    @property
    def lookups(self) -> Lookups:
        """Everything but counts and events."""
        ...

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
