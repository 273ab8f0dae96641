"""The rows of a reply: sums in order, steps without a count, the largest events and the rest. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from console.queries.counts_query import Place
from schemas.analytics.items import OTHER_TITLE


@dataclass(frozen=True, slots=True)
class Row:
    at_millis: int
    event: str
    count: int


def rows_of(sums: Mapping[Place, int], after: Place | None) -> list[Row]:
    """The rows after a place, in order, without zero counts."""
    return [
        Row(place.at_millis, place.event, count)
        for place, count in sorted(sums.items())
        if count and (after is None or place > after)
    ]


def filled_rows(
    sums: Mapping[Place, int], starts: Iterable[int], events: Iterable[str], after: Place | None
) -> Iterator[Row]:
    """The rows after a place, in order: one for each event in each step, also if its count is zero."""
    in_order = sorted(events)
    for start in starts:
        for event in in_order:
            place = Place(start, event)
            if after is None or place > after:
                yield Row(start, event, sums.get(place, 0))


def totals_of(sums: Mapping[Place, int]) -> Counter[str]:
    """The total of each event that has a count."""
    totals: Counter[str] = Counter()
    for place, count in sums.items():
        if count:
            totals[place.event] += count
    return totals


def top_of(totals: Mapping[str, int], most: int) -> list[tuple[str, int]]:
    """The events with the largest totals, the largest first. OTHER_TITLE is none of them: it stands for many events."""
    named = [(event, total) for event, total in totals.items() if event != OTHER_TITLE]
    return sorted(named, key=lambda one: (-one[1], one[0]))[:most]


def with_rest(sums: Mapping[Place, int], shown: Sequence[str]) -> Counter[Place]:
    """The sums of the shown events, and of all others under OTHER_TITLE."""
    kept, found = frozenset(shown), Counter[Place]()
    for place, count in sums.items():
        found[place if place.event in kept else Place(place.at_millis, OTHER_TITLE)] += count
    return found
