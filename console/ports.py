"""What the console needs of the world: a store to read. Adapters: mongo, memory."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from console.queries.counts import Moment, Part
from console.queries.events import Key, KeysWanted, Stored


class Unavailable(Exception):
    """MongoDB can't be had now. The client may ask the same again (503)."""


class TooSlow(Exception):
    """MongoDB has ended a query that took too long: asking the same again won't help (504)."""


class MomentGone(Exception):
    """MongoDB doesn't have that moment any more."""


class Store(Protocol):
    """All raise Unavailable and TooSlow."""

    async def now(self) -> Moment:
        """The moment of what has been written up to now."""
        ...

    def period_counts(self, part: Part, moment: Moment | None) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        """Documents of period_counts, some at a time, in any order; `minutes` of the part's cut hours alone.

        As they were at that moment (raises MomentGone); without one, each as it is when it is read.
        """
        ...

    async def event_keys(self, wanted: KeysWanted) -> Sequence[Key]: ...

    async def events(self, ids: Sequence[str]) -> Mapping[str, Stored]:
        """Events by their `_id`; those that have been removed meanwhile are absent."""
        ...

    async def ping(self) -> None:
        """Returns if queries can be answered."""
        ...
