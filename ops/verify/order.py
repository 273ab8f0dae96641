"""Which records (or items) of one id count: the first, and another one only after the dedupe window. Pure.

Within a partition the order of the log decides. Between partitions the order of the transactions decided, and the log
does not show it. So MongoDB is right if any possible order of the partitions gives what it says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One record or item of an id: where, when, and whether MongoDB counted it (None: unknown)."""

    stream: int
    """Index of the partition (of a lineage) that holds it."""
    offset: int
    time_millis: int
    applied: bool | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """When the id last counted. `unknown`: possibly in a record that the log no longer has."""

    time_millis: int | None = None
    unknown: bool = False

    def fates(self, occurrence: Occurrence, window_millis: int) -> tuple[bool, ...]:
        """Whether it counts now: the possible answers, by the window and by MongoDB."""
        if self.unknown:
            by_window: tuple[bool, ...] = (True, False)
        else:
            by_window = (self.time_millis is None or occurrence.time_millis - self.time_millis > window_millis,)
        return tuple(counts for counts in by_window if occurrence.applied in (None, counts))


@dataclass(frozen=True, slots=True)
class _Done:
    """A step of the search: the position in each stream, and what has counted so far."""

    places: tuple[int, ...]
    memory: Memory
    counted: tuple[Occurrence, ...] = ()

    def after(self, stream: int, head: Occurrence, *, counts: bool) -> "_Done":
        places = (*self.places[:stream], self.places[stream] + 1, *self.places[stream + 1 :])
        if not counts:
            return _Done(places, self.memory, self.counted)
        return _Done(places, Memory(head.time_millis), (*self.counted, head))


def is_possible(streams: Sequence[Sequence[Occurrence]], window_millis: int, memory: Memory) -> bool:
    """Whether some order of the partitions gives what MongoDB says. Each partition keeps its own order."""
    return counted_in_some_order(streams, window_millis, memory) is not None


def counted_in_some_order(
    streams: Sequence[Sequence[Occurrence]], window_millis: int, memory: Memory, last: Occurrence | None = None
) -> tuple[Occurrence, ...] | None:
    """What counts in an order that gives what MongoDB says. None: there is no such order.

    `last`, if known, must be the one that counted last.
    """
    todo = [_Done((0,) * len(streams), memory)]
    met = set()
    while todo:
        done = _past_duplicates(streams, todo.pop(), window_millis)
        if all(place == len(stream) for stream, place in zip(streams, done.places, strict=True)):
            if last is None or done.counted[-1:] == (last,):
                return done.counted
        elif (key := (done.places, done.memory, done.counted[-1:])) not in met:
            met.add(key)
            todo += reversed(list(_following(streams, done, window_millis)))
    return None


def _past_duplicates(streams: Sequence[Sequence[Occurrence]], done: _Done, window_millis: int) -> _Done:
    """Skips duplicates. A duplicate stays one in every order, so skipping it excludes no order."""
    places = list(done.places)
    for i, stream in enumerate(streams):
        while places[i] < len(stream) and done.memory.fates(stream[places[i]], window_millis) == (False,):
            places[i] += 1
    return _Done(tuple(places), done.memory, done.counted)


def _following(streams: Sequence[Sequence[Occurrence]], done: _Done, window_millis: int) -> Iterator[_Done]:
    for i, place in enumerate(done.places):
        if place < len(streams[i]):
            head = streams[i][place]
            for counts in done.memory.fates(head, window_millis):
                yield done.after(i, head, counts=counts)
