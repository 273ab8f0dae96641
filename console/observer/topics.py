"""One topic in numbers, from what was read in one step: its balance, and the lag of each partition. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from console.observer.facts import Document, Facts, MongoFacts, TopicFacts
from console.observer.snapshot import PartitionNow, TopicNow
from schemas.balance import balance_of
from schemas.documents import millis_of
from schemas.settings import Api


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic to observe, and how long Kafka keeps its records."""

    api: Api
    name: str
    retention_seconds: float


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of one topic. `lineage` is None where MongoDB is silent, or has none of this topic.

    `bounds` is empty where the topic is not the one that the checkpoints are of: its offsets mean other records.
    """

    topic: Topic
    now_millis: int
    mongodb: MongoFacts | None
    lineage: Document | None
    checkpoints: Mapping[int, Document]
    kafka: TopicFacts | None
    bounds: Mapping[int, tuple[int, int] | None]


def _known(topic: Topic, facts: Facts) -> _Known:
    mongodb = facts.mongodb if isinstance(facts.mongodb, MongoFacts) else None
    lineage = mongodb.newest(topic.name) if mongodb else None
    kafka = facts.kafka.get(topic.name) if isinstance(facts.kafka, Mapping) else None
    kafka = kafka if kafka and kafka.exists else None
    return _Known(
        topic,
        facts.at_millis,
        mongodb,
        lineage,
        mongodb.checkpoints_of(lineage["_id"]) if mongodb and lineage else {},
        kafka,
        kafka.bounds if kafka and (lineage is None or kafka.is_of(lineage)) else {},
    )


def topic_now(topic: Topic, facts: Facts) -> TopicNow:
    """The topic without its rates."""
    known = _known(topic, facts)
    partitions = [_partition(known, number) for number in sorted({*known.checkpoints, *known.bounds})]
    lags = [one.lag_records for one in partitions]
    now = TopicNow(
        topic.api,
        topic.name,
        lag_records=_total(lags) if known.bounds else None,
        lag_seconds=_worst([one.lag_seconds for one in partitions]) if known.bounds else None,
        dead_letters_open=_dead_letters_open(known),
        partitions=tuple(partitions),
    )
    return _with_balance(now, known)


def _total(numbers: list[int | None]) -> int | None:
    """None if one is not known."""
    known = [one for one in numbers if one is not None]
    return sum(known) if len(known) == len(numbers) else None


def _worst(seconds: list[float | None]) -> float | None:
    """The largest; None if one is not known."""
    known = [one for one in seconds if one is not None]
    return max(known, default=0.0) if len(known) == len(seconds) else None


def _partition(known: _Known, number: int) -> PartitionNow:
    checkpoint, bounds = known.checkpoints.get(number), known.bounds.get(number)
    owned = None if known.kafka is None or known.kafka.owned is None else number in known.kafka.owned
    now = PartitionNow(number, owned=owned, end=bounds[1] if bounds else None)
    if checkpoint:
        flushed = checkpoint.get("flushedAt")
        now = replace(
            now,
            next=checkpoint["next"],
            owner=None if owned is False else checkpoint.get("owner"),
            last_flush_millis=millis_of(flushed) if flushed else None,
            stopped=checkpoint.get("stopped"),
        )
    return _with_lag(now, known, bounds) if bounds and known.mongodb else now


def _with_lag(now: PartitionNow, known: _Known, bounds: tuple[int, int]) -> PartitionNow:
    """The lag of a partition whose checkpoint and log are known. Without a checkpoint everything waits."""
    begin, end = bounds
    following = begin if now.next is None else now.next
    waiting = max(0, end - max(begin, following))
    oldest = known.kafka.oldest_millis.get(now.partition) if known.kafka else None
    seconds: float | None = 0.0
    if waiting:
        seconds = None if oldest is None else max(0, known.now_millis - oldest) / 1000
    return replace(
        now,
        next=following,
        lag_records=waiting,
        lag_seconds=seconds,
        removed=max(0, begin - following),
        headroom_seconds=None if seconds is None else max(0.0, known.topic.retention_seconds - seconds),
    )


def _dead_letters_open(known: _Known) -> int | None:
    """Of all lineages of the topic."""
    if known.mongodb is None or known.mongodb.dead_letters_open is None:
        return None
    ours = [one["_id"] for one in known.mongodb.lineages if one["topic"] == known.topic.name]
    return sum(known.mongodb.dead_letters_open.get(lineage, 0) for lineage in ours)


def _with_balance(now: TopicNow, known: _Known) -> TopicNow:
    """Fates need MongoDB alone. What was accepted needs both."""
    if known.mongodb is None or known.lineage is None:
        return now
    checkpoints = known.checkpoints
    whole = bool(known.bounds) and all(known.bounds.values())
    bounds = {number: one for number, one in known.bounds.items() if one}
    balance = balance_of(checkpoints.values(), bounds if whole else dict.fromkeys(checkpoints, (0, 0)))
    now = replace(
        now,
        applied=balance.applied,
        duplicate=balance.duplicate,
        refused=balance.refused,
        dead=balance.dead,
        gaps=balance.gaps,
    )
    if not whole:
        return now
    return replace(now, accepted=balance.accepted, in_flight=balance.in_flight, difference=balance.difference)
