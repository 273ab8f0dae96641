"""Registered titles: what each item counts as, and whether the log gives the same registrations. Pure.

A title has counts of its own from the record that registers it (`from`) until it is freed. Other items count as
`(other)`. Within the partition of `from` the order of the log decides. For a record of another partition it is unknown:
if the app has counts of `(other)`, the item may be one of them, and MongoDB's answer is accepted.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from ops.verify.report import Difference, Differences, MinuteKey, Range
from schemas.analytics.items import OTHER_TITLE
from schemas.coordinates import Coordinates, parse_coordinates
from schemas.documents import app_and_player, is_anonymous, millis_of, title_key

NOWHERE = Coordinates("", 0, 0)


class Counted(NamedTuple):
    """What an item counts as. Not `sure`: it may be `(other)`."""

    name: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class _Term:
    """One registration of a title."""

    begin: Coordinates
    promoted: Coordinates | None
    freed_millis: int | None

    def holds(self, place: Coordinates, time_millis: int) -> bool | None:
        """Whether a record is within the registration; None if that is unknown."""
        if self.freed_millis is not None and time_millis >= self.freed_millis:
            return False
        return place.offset >= self.begin.offset if place.partition_id == self.begin.partition_id else None

    def places(self) -> Iterator[Coordinates]:
        """Coordinates of records in which an item of the title counted."""
        yield self.begin
        if self.promoted is not None:
            yield self.promoted


class Titles:
    """The documents of `titles` in the snapshot. `apps_with_others`: those that have counted anything as `(other)`."""

    def __init__(
        self, documents: Iterable[Mapping[str, Any]], apps_with_others: Collection[str], differences: Differences
    ) -> None:
        self._terms: dict[str, list[_Term]] = {}
        self._there: Counter[tuple[str, str]] = Counter()
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._apps_with_others = apps_with_others
        self._differences = differences
        self._confirmed: set[tuple[str, Coordinates]] = set()
        self._missing: set[str] = set()
        for document in documents:
            self._take(document)
        self._compare_numbers()

    def _take(self, document: Mapping[str, Any]) -> None:
        app, slash, _ = document["_id"].partition("/")
        if not slash:
            self._numbers[app, "count"] += document["count"]
            self._numbers[app, "anonymous"] += document.get("anonymous", 0)
            return
        if "freed" not in document:
            self._there[app, _share(document)] += 1
        registrations = (*document.get("earlier", ()), document)
        self._terms[document["_id"]] = [self._term(document["_id"], one) for one in registrations]

    def _term(self, key: str, registration: Mapping[str, Any]) -> _Term:
        promoted, freed = registration.get("promoted"), registration.get("freed")
        return _Term(
            self._place(key, "from", registration.get("from")),
            None if promoted is None else self._place(key, "promoted", promoted),
            millis_of(freed) if isinstance(freed, datetime) else None,
        )

    def _place(self, key: str, field: str, found: object) -> Coordinates:
        try:
            return parse_coordinates(found)  # type: ignore[arg-type]  # a value that is not text is a difference
        except (TypeError, ValueError, AttributeError):
            self._differ(key, "from a record that holds it", f"{field} {found}")
            return NOWHERE

    def _compare_numbers(self) -> None:
        for app, share in sorted(self._there.keys() | self._numbers.keys()):
            there, found = self._there[app, share], self._numbers[app, share]
            if there != found:
                self._differ(f"{app}, {share}", str(there), str(found))

    def counted(self, app: str, title: str, place: Coordinates, time_millis: int) -> Counted:
        """What an item of this title, in the record at `place`, counts as."""
        key = title_key(app, title)
        terms = self._terms.get(key)
        if terms is None:
            return self._unregistered(key, app, title, place)
        self._confirmed.add((key, place))
        holds = {term.holds(place, time_millis) for term in terms}
        if True in holds:
            return Counted(title)
        return Counted(title, app not in self._apps_with_others) if None in holds else Counted(OTHER_TITLE)

    def _unregistered(self, key: str, app: str, title: str, place: Coordinates) -> Counted:
        if app in self._apps_with_others:
            return Counted(OTHER_TITLE)
        if key not in self._missing:
            self._missing.add(key)
            self._differ(key, f"registered, by {place} or before", "nothing")
        return Counted(title)

    def settle(self, ranges: Iterable[Range]) -> None:
        """A title that a record of the ranges registers must have counted there. Not valid if counts are unsure."""
        covered = {one.partition: one for one in ranges}
        for key, terms in sorted(self._terms.items()):
            for where in (place for term in terms for place in term.places()):
                found = covered.get(str(where.partition_id))
                if found and found.first <= where.offset < found.next and (key, where) not in self._confirmed:
                    self._differ(key, "from a record that holds it", f"from {where}")

    def _differ(self, where: str, expected: str, found: str) -> None:
        self._differences.add(Difference("titles", where, expected, found))


def _share(document: Mapping[str, Any]) -> str:
    """Which share of the app's limit a title takes."""
    _, player = app_and_player(str(document.get("by", "")))
    return "anonymous" if is_anonymous(player) else "count"


def apps_with_others(minutes: Mapping[MinuteKey, int]) -> frozenset[str]:
    """Apps with counts of `(other)`."""
    return frozenset(app for _, app, event, _ in minutes if event == OTHER_TITLE)
