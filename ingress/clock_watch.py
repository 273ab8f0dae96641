"""How far this machine's clock is ahead of Kafka's and MongoDB's: book-keeping without I/O.

A server stamps its time after the request was sent and before the answer came. So this machine's clock is ahead by at
least `sent - stamp` and at most `answered - stamp`. A slow answer makes that span wide, but never wrong. The value of
a span nearest to zero is reported: so much skew is certain.

Which clock is wrong? This machine's, by the smaller skew, if both servers differ from it; else the one that differs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, NamedTuple

Source = Literal["kafka", "mongodb"]
SOURCES: tuple[Source, ...] = ("kafka", "mongodb")
NAMES: Mapping[Source, str] = {"kafka": "Kafka", "mongodb": "MongoDB"}

# Clocks kept by NTP differ by some ten milliseconds; a smeared leap second stays below one second.
WARN_SECONDS = 2.0
# Below this a wrong clock is right again. It is less than WARN_SECONDS, so that a skew near the limit is logged once.
RIGHT_SECONDS = 1.0
# Spans measured within this time show the same skew: a clock drifts by less than a millisecond meanwhile.
SAME_SKEW_SECONDS = 10.0
# A skew measured longer ago than this counts as unknown. This machine's clock may have been set since, and two servers
# would seem to differ if one was measured before and one after. The probe asks MongoDB four times meanwhile.
KNOWN_SECONDS = 20.0


class Stamped(NamedTuple):
    """One answer of a server: this machine's time when asked and when answered, and the server's in between."""

    sent_millis: int
    answered_millis: int
    stamp_millis: int


class Span(NamedTuple):
    """Seconds that this machine's clock is ahead, at least and at most."""

    low: float
    high: float

    @property
    def certain_seconds(self) -> float:
        return min(max(0.0, self.low), self.high)


@dataclass(frozen=True, slots=True)
class _Measured:
    span: Span
    at_seconds: float

    def and_then(self, span: Span, now_seconds: float) -> "_Measured":
        """The true skew is in both spans, so in their overlap. If they don't overlap a clock was set meanwhile."""
        both = Span(max(self.span.low, span.low), min(self.span.high, span.high))
        is_same = now_seconds - self.at_seconds < SAME_SKEW_SECONDS and both.low <= both.high
        return _Measured(both, self.at_seconds) if is_same else _Measured(span, now_seconds)


def span_of(stamped: Stamped) -> Span:
    ahead = stamped.sent_millis - stamped.stamp_millis, stamped.answered_millis - stamped.stamp_millis
    return Span(min(ahead) / 1000, max(ahead) / 1000)  # this clock may have been set back in between


@dataclass(frozen=True, slots=True)
class Skews:
    """Seconds that this machine's clock is ahead of each server that has told its time lately."""

    by_source: Mapping[Source, float] = field(default_factory=dict)

    @property
    def own(self) -> float:
        """By how much this machine's clock is wrong: the smallest skew, so what all servers agree on."""
        return min(self.by_source.values(), key=abs, default=0.0)

    @property
    def of_servers(self) -> Mapping[Source, float]:
        """By how much each server's clock is ahead. All zero while this machine's own clock is wrong."""
        own_is_wrong = abs(self.own) >= WARN_SECONDS
        return {source: 0.0 if own_is_wrong else -skew for source, skew in self.by_source.items()}


class ClockWatch:
    """The last measured skews."""

    def __init__(self, tolerance_seconds: float) -> None:
        self._tolerance_seconds = tolerance_seconds
        self._measured: dict[tuple[Source, object], _Measured] = {}

    def measured(self, source: Source, stamped: Stamped, now_seconds: float, place: object = None) -> None:
        """Note one answer. `place`: which part of the server answered, because each of Kafka's brokers has a clock."""
        span, key = span_of(stamped), (source, place)
        before = self._measured.get(key)
        self._measured[key] = before.and_then(span, now_seconds) if before else _Measured(span, now_seconds)

    def skews(self, now_seconds: float) -> Skews:
        """The skews known now. Kafka's is the median of its partitions."""
        fresh = {key: one for key, one in self._measured.items() if now_seconds - one.at_seconds <= KNOWN_SECONDS}
        found: dict[Source, float] = {}
        for source in SOURCES:
            certain = [one.span.certain_seconds for (of, _), one in fresh.items() if of == source]
            if certain:
                found[source] = median(certain)
        return Skews(found)

    def is_within(self, now_seconds: float) -> bool:
        """Whether this machine's clock is within the tolerance now, or if unknown, when last measured."""
        skews = self.skews(now_seconds)
        if not skews.by_source:
            skews = self.skews(max((one.at_seconds for one in self._measured.values()), default=now_seconds))
        return abs(skews.own) <= self._tolerance_seconds


class Line(NamedTuple):
    """A change, as it is logged."""

    event: Literal["clock_off", "clock_right"]
    whose: str
    seconds: float
    against: str


class ClockNews:
    """Which changes of the skews are logged: a clock becomes wrong, and right again."""

    def __init__(self) -> None:
        self._off: dict[str, str] = {}

    def lines(self, skews: Skews) -> list[Line]:
        """One line a change."""
        if not skews.by_source:
            return []
        known = " and ".join(NAMES[source] for source in skews.by_source)
        lines = [self._line("this machine", skews.own, known)]
        lines += [self._line(NAMES[source], ahead, "this machine") for source, ahead in skews.of_servers.items()]
        return [line for line in lines if line]

    def _line(self, whose: str, seconds: float, against: str) -> Line | None:
        if whose not in self._off and abs(seconds) >= WARN_SECONDS:
            self._off[whose] = against
            return Line("clock_off", whose, seconds, against)
        if whose in self._off and abs(seconds) < RIGHT_SECONDS:
            return Line("clock_right", whose, seconds, self._off.pop(whose))
        return None
