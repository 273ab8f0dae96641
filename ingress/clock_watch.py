"""How far this machine's clock is ahead of Kafka's and MongoDB's: book-keeping without I/O.

A server stamps its time after a request was sent and before its answer came. So our clock is ahead of the server's by
at least `sent - stamp` and at most `answered - stamp`. A slow answer makes that span wide, never wrong. Of a span the
value nearest to zero is reported: the skew that is certain.

Which clock is off? Our own, by the smaller skew, if both servers say so; where only one of them differs, that server's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, NamedTuple

Source = Literal["kafka", "mongodb"]
SOURCES: tuple[Source, ...] = ("kafka", "mongodb")
NAMES: Mapping[Source, str] = {"kafka": "Kafka", "mongodb": "MongoDB"}

# Clocks kept by NTP are within some ten milliseconds of each other; a leap that is smeared is below one second.
WARN_SECONDS = 2.0
# Below this a clock that was off is right again: less than what warns, so that one in between is not told of each time.
RIGHT_SECONDS = 1.0
# Spans measured within this time are of the same skew: a clock drifts by less than a millisecond meanwhile.
SAME_SKEW_SECONDS = 10.0
# A skew measured longer ago than this is no longer known: our clock may have been set since, and one server that has
# told its time before, and one after, would seem to differ. The probe asks MongoDB some four times meanwhile.
KNOWN_SECONDS = 20.0


class Stamped(NamedTuple):
    """One answer of a server: our clock when it was asked and when it had answered, the server's in between."""

    sent_millis: int
    answered_millis: int
    stamp_millis: int


class Span(NamedTuple):
    """Seconds that our clock is ahead, at least and at most."""

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
        """Both spans hold the truth, so it is where they overlap; where they don't, a clock was set meanwhile."""
        both = Span(max(self.span.low, span.low), min(self.span.high, span.high))
        is_same = now_seconds - self.at_seconds < SAME_SKEW_SECONDS and both.low <= both.high
        return _Measured(both, self.at_seconds) if is_same else _Measured(span, now_seconds)


def span_of(stamped: Stamped) -> Span:
    ahead = stamped.sent_millis - stamped.stamp_millis, stamped.answered_millis - stamped.stamp_millis
    return Span(min(ahead) / 1000, max(ahead) / 1000)  # our clock may have been set back in between


@dataclass(frozen=True, slots=True)
class Skews:
    """Seconds that our clock is ahead, by server; of a server that has told no time lately nothing."""

    by_source: Mapping[Source, float] = field(default_factory=dict)

    @property
    def ours(self) -> float:
        """By how much our own clock is off: what every server says, at least."""
        return min(self.by_source.values(), key=abs, default=0.0)

    @property
    def of_servers(self) -> Mapping[Source, float]:
        """By how much each server's clock is ahead of ours. Where our own is off nothing is said of theirs: zero."""
        ours_is_off = abs(self.ours) >= WARN_SECONDS
        return {source: 0.0 if ours_is_off else -skew for source, skew in self.by_source.items()}


class ClockWatch:
    """The skews as they were measured last."""

    def __init__(self, tolerance_seconds: float) -> None:
        self._tolerance_seconds = tolerance_seconds
        self._measured: dict[tuple[Source, object], _Measured] = {}

    def measured(self, source: Source, stamped: Stamped, now_seconds: float, place: object = None) -> None:
        """Note one answer. `place`: what of the server answered, for each of Kafka's brokers has a clock of its own."""
        span, key = span_of(stamped), (source, place)
        before = self._measured.get(key)
        self._measured[key] = before.and_then(span, now_seconds) if before else _Measured(span, now_seconds)

    def skews(self, now_seconds: float) -> Skews:
        """What is known now; of Kafka the median of its partitions."""
        fresh = {key: one for key, one in self._measured.items() if now_seconds - one.at_seconds <= KNOWN_SECONDS}
        found: dict[Source, float] = {}
        for source in SOURCES:
            certain = [one.span.certain_seconds for (of, _), one in fresh.items() if of == source]
            if certain:
                found[source] = median(certain)
        return Skews(found)

    def is_within(self, now_seconds: float) -> bool:
        """Whether our clock is within the tolerance; while nothing is known, whether it was when last measured."""
        skews = self.skews(now_seconds)
        if not skews.by_source:
            skews = self.skews(max((one.at_seconds for one in self._measured.values()), default=now_seconds))
        return abs(skews.ours) <= self._tolerance_seconds


class Line(NamedTuple):
    """A change, for the log."""

    event: Literal["clock_off", "clock_right"]
    whose: str
    seconds: float
    against: str


class ClockNews:
    """Which changes of the skews are worth a line: a clock goes off, and comes right again."""

    def __init__(self) -> None:
        self._off: dict[str, str] = {}

    def lines(self, skews: Skews) -> list[Line]:
        """One line a change, none while all stays as it is."""
        if not skews.by_source:
            return []
        known = " and ".join(NAMES[source] for source in skews.by_source)
        told = [self._line("this machine", skews.ours, known)]
        told += [self._line(NAMES[source], ahead, "this machine") for source, ahead in skews.of_servers.items()]
        return [line for line in told if line]

    def _line(self, whose: str, seconds: float, against: str) -> Line | None:
        if whose not in self._off and abs(seconds) >= WARN_SECONDS:
            self._off[whose] = against
            return Line("clock_off", whose, seconds, against)
        if whose in self._off and abs(seconds) < RIGHT_SECONDS:
            return Line("clock_right", whose, seconds, self._off.pop(whose))
        return None
