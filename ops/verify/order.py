"""Which of the records of one requestId count: one, and another only after the dedupe window. Pure.

Within a partition the order of the log decides. Between partitions nobody's order is right by itself: whichever
transaction came first counted. So what MongoDB says is held against every order that was possible.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One record of a requestId: where, when, and what MongoDB says of it."""

    stream: int
    """Index of the partition (of a lineage) that holds it."""
    offset: int
    time_millis: int
    applied: bool


@dataclass(frozen=True, slots=True)
class Memory:
    """When the id last counted. `unknown`: possibly by a record that the log no longer holds."""

    time_millis: int | None = None
    unknown: bool = False

    def allows(self, occurrence: Occurrence, window_millis: int) -> bool:
        """Whether what MongoDB says of it can be."""
        if self.unknown:
            return True
        forgotten = self.time_millis is None or occurrence.time_millis - self.time_millis > window_millis
        return occurrence.applied == forgotten


def is_possible(streams: Sequence[Sequence[Occurrence]], window_millis: int, memory: Memory) -> bool:
    """Whether some order of the partitions, each in its own order, makes of them what MongoDB says."""
    todo = [((0,) * len(streams), memory)]
    met = set(todo)
    while todo:
        places, memory = todo.pop()
        places = tuple(
            _past_duplicates(stream, place, window_millis, memory)
            for stream, place in zip(streams, places, strict=True)
        )
        if all(place == len(stream) for stream, place in zip(streams, places, strict=True)):
            return True
        following = set(_one_applied(streams, places, window_millis, memory)) - met
        met |= following
        todo += following
    return False


def _past_duplicates(stream: Sequence[Occurrence], place: int, window_millis: int, memory: Memory) -> int:
    """They change nothing, so taking all that can be taken shuts out no order."""
    while place < len(stream) and not stream[place].applied and memory.allows(stream[place], window_millis):
        place += 1
    return place


def _one_applied(
    streams: Sequence[Sequence[Occurrence]], places: tuple[int, ...], window_millis: int, memory: Memory
) -> Iterator[tuple[tuple[int, ...], Memory]]:
    for i, place in enumerate(places):
        if place < len(streams[i]):
            head = streams[i][place]
            if head.applied and memory.allows(head, window_millis):
                yield (*places[:i], place + 1, *places[i + 1 :]), Memory(head.time_millis)
