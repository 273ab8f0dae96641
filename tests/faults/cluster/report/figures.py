"""Figures of one run, from its ledger and its timeline: the longest pauses of acks and counts, and false claims. Pure.

A request waits for its ack from its first attempt, retries included. It waits for its count from its ack until the
checkpoint of its partition was first seen beyond it. Requests from before `mark` (the fault, or the return of what had
failed) wait from `mark` on. Each partition is measured alone, so that a stopped one is not hidden by the others.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.faults.cluster.report.timeline import Probe, Timeline, Where
from tests.faults.cluster.stage.requests import Api, Sent

NEVER = float("inf")

LAG_BELIEVED_SECONDS = 5.0
"""A lag of zero is untrue where a record has waited for longer: lag is exported every second, and read every other."""
LIVE_BELIEVED_SECONDS = 75.0
"""/livez 200 is untrue where a record has waited for longer: stall_seconds (60), and the time to be noticed."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A record that was acknowledged: from when to when it waited for its count."""

    where: Where
    since: float
    until: float


@dataclass(slots=True)
class Figures:
    """Seconds. `untrue_*`: for how long it was claimed though it was not so."""

    acks: dict[Api, float] = field(default_factory=dict)
    counts: float | None = None
    """None where nothing that was acknowledged waited."""
    slowest_partition: str = ""
    untrue_lag: float = 0.0
    missing_lag: float = 0.0
    untrue_livez: float = 0.0
    livez: dict[str, dict[int, float]] = field(default_factory=dict)
    readyz: dict[str, dict[int, float]] = field(default_factory=dict)

    @property
    def slowest_ack(self) -> float:
        return max(self.acks.values(), default=0.0)


def waits_of(acknowledged: Iterable[Sent], positions: Sequence[tuple[float, Mapping[Where, int]]]) -> list[Wait]:
    """When each acknowledged record was first seen counted. Those without a receipt of their own have no place."""
    steps = _steps(positions)
    found = []
    for one in acknowledged:
        if one.where and one.acked_at is not None and not one.duplicate:
            where, offset = one.where[:2], one.where[2]
            times, nexts = steps.get(where, ([], []))
            at = bisect_right(nexts, offset)
            found.append(Wait(where, one.acked_at, max(times[at], one.acked_at) if at < len(times) else NEVER))
    return found


def _steps(positions: Sequence[tuple[float, Mapping[Where, int]]]) -> dict[Where, tuple[list[float], list[int]]]:
    """Of each partition the times at which its checkpoint was seen higher than before."""
    steps: dict[Where, tuple[list[float], list[int]]] = {}
    for at, found in sorted(positions, key=lambda one: one[0]):
        for where, offset in found.items():
            times, nexts = steps.setdefault(where, ([], []))
            if not nexts or offset > nexts[-1]:
                times.append(at)
                nexts.append(offset)
    return steps


def longest_waits(waits: Iterable[Wait], mark: float, until: float = NEVER) -> dict[Where, float]:
    """Of each partition the longest wait after `mark`, of records that waited before `until`."""
    longest: dict[Where, float] = {}
    for wait in waits:
        if wait.until >= mark and wait.since <= until:
            longest[wait.where] = max(longest.get(wait.where, 0.0), wait.until - max(wait.since, mark))
    return longest


def slowest_ack(sent: Iterable[Sent], mark: float) -> float:
    """The longest that a request waited for its ack after `mark`; NEVER where one has none."""
    longest = 0.0
    for one in sent:
        if one.first_at is None or one.refused:
            continue
        until = NEVER if one.acked_at is None else one.acked_at
        if until >= mark:
            longest = max(longest, until - max(one.first_at, mark))
    return longest


def figures_of(
    sent: Sequence[Sent], timeline: Timeline, mark: float, apis: Mapping[str, Api], acks_mark: float | None = None
) -> Figures:
    """All figures from `mark` on, those of acks from `acks_mark`. `apis`: of topics."""
    waits = waits_of((one for one in sent if one.acked_at is not None), timeline.positions)
    figures = Figures()
    for api in apis.values():
        figures.acks[api] = slowest_ack((one for one in sent if one.api == api), acks_mark or mark)
    if longest := longest_waits(waits, mark):
        slowest = max(longest, key=lambda where: longest[where])
        figures.counts = longest[slowest]
        figures.slowest_partition = f"{timeline.topics.get(slowest[0], slowest[0])}/{slowest[1]}"
    probes = [probe for probe in timeline.probes if probe.at >= mark]
    _add_answers(figures, probes)
    _add_claims(figures, probes, waits, {name: apis[topic] for name, topic in timeline.topics.items() if topic in apis})
    return figures


def _add_answers(figures: Figures, probes: Sequence[Probe]) -> None:
    """For how many seconds each process gave each answer."""
    for probe, seconds in _with_seconds(probes):
        for answers, status in ((figures.livez, probe.livez), (figures.readyz, probe.readyz)):
            of_process = answers.setdefault(probe.name, {})
            of_process[status] = of_process.get(status, 0.0) + seconds


def _with_seconds(probes: Sequence[Probe]) -> Iterator[tuple[Probe, float]]:
    """Each probe with the time until that process's next."""
    for name in sorted({probe.name for probe in probes}):
        for probe, following in pairwise(one for one in probes if one.name == name):
            yield probe, following.at - probe.at


def _add_claims(figures: Figures, probes: Sequence[Probe], waits: Sequence[Wait], apis: Mapping[str, Api]) -> None:
    """Compare what was claimed at each time with the oldest record that waited then."""
    long_waits = [wait for wait in waits if wait.until - wait.since > LAG_BELIEVED_SECONDS]
    workers = [(probe, seconds) for probe, seconds in _with_seconds(probes) if probe.name.startswith("worker")]
    count = len({probe.name for probe, _ in workers}) or 1
    for probe, seconds in workers:
        waiting = _oldest(long_waits, probe.at)
        late = {where for where, age in waiting.items() if age > LAG_BELIEVED_SECONDS}
        claimed = [probe.lag.get((apis.get(lineage, "games"), number)) for lineage, number in late]
        figures.untrue_lag += seconds * (0.0 in claimed)
        if probe.livez == 200 and any(age > LIVE_BELIEVED_SECONDS for age in waiting.values()):
            figures.untrue_livez += seconds / count
    figures.missing_lag = _missing(workers, long_waits, apis)


def _missing(workers: Sequence[tuple[Probe, float]], waits: Sequence[Wait], apis: Mapping[str, Api]) -> float:
    """For how long no worker exported a lag of a partition that had records waiting for too long."""
    seconds = 0.0
    latest: dict[str, Probe] = {}
    counted = 0.0
    for probe, length in sorted(workers, key=lambda one: one[0].at):
        latest[probe.name] = probe
        told = {key for one in latest.values() for key in one.lag}
        late = {where for where, age in _oldest(waits, probe.at).items() if age > LAG_BELIEVED_SECONDS}
        if probe.at >= counted and any((apis.get(lineage, "games"), number) not in told for lineage, number in late):
            seconds += length
            counted = probe.at + length
    return seconds


def _oldest(waits: Iterable[Wait], at: float) -> dict[Where, float]:
    """Of each partition the age of the oldest record that waits at this time."""
    ages: dict[Where, float] = {}
    for wait in waits:
        if wait.since <= at < wait.until:
            ages[wait.where] = max(ages.get(wait.where, 0.0), at - wait.since)
    return ages
