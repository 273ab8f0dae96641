"""What the observer remembers between two steps: counters for rates, since when a condition lasts, the history. Pure.

Rates are differences of counters that only grow, so a step that failed makes none of them wrong.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from console.observer.facts import Document, Facts, MongoFacts
from console.observer.snapshot import HISTORY_POINTS, History, Point, State, TopicNow, Visible
from console.observer.topics import Topic
from schemas.documents import FATES
from schemas.settings import Api
from schemas.visible import quantile_seconds

# Of rates. Workers write many records at once, so a shorter time would show the size of their flushes.
RATE_MILLIS = 10_000
# Of the latency: "over the last minute".
VISIBLE_MILLIS = 60_000


@dataclass(frozen=True, slots=True)
class Counters:
    """The counters of one topic at one step. `of`: the lineage or topic that they count."""

    at_millis: int
    accepted: tuple[str, int] | None = None
    counted: tuple[str, int] | None = None
    visible: tuple[str, Mapping[str, int]] | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """All of it. `lasting`: since when each condition has held without a break, by its name."""

    counters: Mapping[Api, Sequence[Counters]] = field(default_factory=dict)
    history: History = field(default_factory=History)
    lasting: Mapping[str, int] = field(default_factory=dict)
    state: State = "unknown"
    since_millis: int | None = None


def counters_of(topic: Topic, facts: Facts) -> Counters:
    """What this step knows of the counters of one topic."""
    found = Counters(facts.at_millis)
    if isinstance(facts.kafka, Mapping) and (kafka := facts.kafka.get(topic.name)) and (bounds := kafka.known_bounds):
        found = replace(found, accepted=(f"{kafka.topic_id} {len(bounds)}", sum(end for _, end in bounds.values())))
    if isinstance(facts.mongodb, MongoFacts) and (lineage := facts.mongodb.newest(topic.name)):
        checkpoints = facts.mongodb.checkpoints_of(lineage["_id"]).values()
        counted = sum(one["fates"][fate] for one in checkpoints for fate in FATES)
        found = replace(found, counted=(lineage["_id"], counted), visible=(lineage["_id"], _visible(checkpoints)))
    return found


def _visible(checkpoints: Iterable[Document]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for checkpoint in checkpoints:
        for bucket, records in checkpoint.get("visible", {}).items():
            counts[bucket] = counts.get(bucket, 0) + records
    return counts


def remembered(before: Sequence[Counters], now: Counters) -> tuple[Counters, ...]:
    """The counters to compare the next step with: those of the last minute, and one that is older."""
    kept = [*before, now]
    while len(kept) > 1 and now.at_millis - kept[1].at_millis >= VISIBLE_MILLIS:
        del kept[0]
    return tuple(kept)


def with_rates(topic: TopicNow, before: Sequence[Counters], now: Counters) -> TopicNow:
    """The topic with its rates, and the latency of the last minute."""
    return replace(
        topic,
        accepted_per_second=_rate([(one.at_millis, one.accepted) for one in before], now.at_millis, now.accepted),
        counted_per_second=_rate([(one.at_millis, one.counted) for one in before], now.at_millis, now.counted),
        visible=_latency(before, now),
    )


def _rate(
    before: Sequence[tuple[int, tuple[str, int] | None]], now_millis: int, now: tuple[str, int] | None
) -> float | None:
    """Records a second over the last RATE_MILLIS, or over a shorter time after the start."""
    if now is None:
        return None
    same = [(at, one[1]) for at, one in before if one and one[0] == now[0] and at < now_millis]
    if not same:
        return None
    recent = [one for one in same if now_millis - one[0] <= RATE_MILLIS]
    at, count = recent[0] if recent else same[-1]
    return round(max(0, now[1] - count) / (now_millis - at) * 1000, 2)


def _latency(before: Sequence[Counters], now: Counters) -> Visible | None:
    """None if no record became visible in this time, or none is known to."""
    if now.visible is None:
        return None
    same = [one.visible[1] for one in before if one.visible and one.visible[0] == now.visible[0]]
    if not same:
        return None
    grown = {bucket: max(0, count - same[0].get(bucket, 0)) for bucket, count in now.visible[1].items()}
    p50, p99 = quantile_seconds(grown, 0.5), quantile_seconds(grown, 0.99)
    return None if p50 is None or p99 is None else Visible(p50, p99)


def lasting(before: Mapping[str, int], conditions: Sequence[str], now_millis: int) -> dict[str, int]:
    """Since when each condition holds. One that does not hold now begins anew."""
    return {one: before.get(one, now_millis) for one in conditions}


def longer(history: History, at_millis: int, topics: Sequence[TopicNow]) -> History:
    """The history with one more step, and without the oldest."""
    points = {}
    for topic in topics:
        visible = topic.visible
        point = Point(
            topic.accepted_per_second,
            topic.counted_per_second,
            topic.lag_seconds,
            visible.p50 if visible else None,
            visible.p99 if visible else None,
        )
        points[topic.api] = (*history.points.get(topic.api, ()), point)[-HISTORY_POINTS:]
    return History((*history.at_millis, at_millis)[-HISTORY_POINTS:], points)
