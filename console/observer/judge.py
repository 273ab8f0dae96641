"""Whether all is well, and why not: rules over one step's numbers and over how long a condition has lasted. Pure.

- down: nothing is accepted or nothing is counted of at least one topic, or what was counted is not what was accepted.
- degraded: all records count, but some late; or something needs an operator before records are lost.
- unknown: what would show it is not known.
docs/operations.md has a section for each sentence.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from console.observer.facts import Facts, MongoFacts, Silent, TopicFacts
from console.observer.snapshot import PartitionNow, State, TopicNow

# The group has no owners while it rebalances, for a second or two. A worker that was killed has the partition until its
# session ends, after 6 s.
UNOWNED_SECONDS = 5
# A flush takes less than 10 s, or is tried again in smaller parts.
STALLED_SECONDS = 20
# After an election the end of a log can be lower for some seconds.
DIFFERS_SECONDS = 8
# The promise is a quarter of a second. Ten seconds of a rebalance are no fault.
LAG_SECONDS = 60
# Time for an operator to act, but no more than a tenth of the time that Kafka keeps records.
HEADROOM_SECONDS = 86_400

UNKNOWN_KAFKA = "Lag and balance are not known: the console has no kafka.bootstrap_servers"
NOT_READ = "Nothing has been read yet: the console has just started"

Severity = Literal["down", "degraded", "unknown"]
_WORST_FIRST: Sequence[Severity] = ("down", "degraded", "unknown")


class Reason(NamedTuple):
    """One thing that is not well, as a sentence."""

    severity: Severity
    sentence: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The state with its reasons, the worst first."""

    state: State
    reasons: Sequence[str]


def conditions_of(topics: Sequence[TopicNow]) -> list[str]:
    """The names of the conditions that hold now and matter once they have lasted."""
    found = []
    for topic in topics:
        if topic.difference:
            found.append(_differs(topic))
        for one in topic.partitions:
            if one.owned is False and _has_work(one):
                found.append(_unowned(topic, one))
            if one.lag_records:
                found.append(_waits(topic, one))
    return found


def _has_work(one: PartitionNow) -> bool:
    """Whether a worker is needed: records wait, or a worker has had it. A topic that nobody uses needs none."""
    return bool(one.lag_records) or one.last_flush_millis is not None


def _differs(topic: TopicNow) -> str:
    return f"{topic.api} differs"


def _unowned(topic: TopicNow, one: PartitionNow) -> str:
    return f"{topic.api}/{one.partition} unowned"


def _waits(topic: TopicNow, one: PartitionNow) -> str:
    return f"{topic.api}/{one.partition} waits at {one.next}"


def judge(facts: Facts, topics: Sequence[TopicNow], lasting: Mapping[str, int]) -> Judged:
    """`lasting`: since when each condition of conditions_of() holds."""

    def lasts(condition: str, seconds: float) -> bool:
        return condition in lasting and facts.at_millis - lasting[condition] >= seconds * 1000

    reasons = [*_of_servers(facts)]
    for topic in topics:
        reasons += [*_of_topic(facts, topic), *_of_balance(topic, lasts), *_of_partitions(topic, lasts)]
    reasons += _of_checks(facts)
    reasons.sort(key=lambda one: _WORST_FIRST.index(one.severity))
    return Judged(reasons[0].severity if reasons else "well", tuple(one.sentence for one in reasons))


def _of_servers(facts: Facts) -> Iterator[Reason]:
    if isinstance(facts.kafka, Silent):
        yield Reason("down", f"Kafka does not answer ({facts.kafka.reason}). Nothing is accepted")
    if isinstance(facts.mongodb, Silent):
        yield Reason("down", f"MongoDB does not answer ({facts.mongodb.reason}). Nothing is counted")
    if facts.kafka is None:
        yield Reason("unknown", UNKNOWN_KAFKA)


def _of_topic(facts: Facts, topic: TopicNow) -> Iterator[Reason]:
    """What is wrong with the topic itself."""
    found = facts.kafka.get(topic.topic, TopicFacts()) if isinstance(facts.kafka, Mapping) else None
    lineage = facts.mongodb.newest(topic.topic) if isinstance(facts.mongodb, MongoFacts) else None
    if found is not None and not found.exists:
        yield Reason("down", f"{topic.api}: the topic {topic.topic} does not exist. Run `tallymill init`")
        return
    if isinstance(facts.mongodb, MongoFacts) and lineage is None:
        yield Reason("down", f"{topic.api}: MongoDB has no lineage of the topic {topic.topic}. Run `tallymill init`")
    if found is not None and lineage and not found.is_of(lineage):
        yield Reason(
            "down",
            f"{topic.api}: the topic {topic.topic} is another one than before: it was created again, or Kafka is "
            "another cluster. No worker reads it until `tallymill lineage start`",
        )
    if found is not None and (unknown := [number for number, one in found.bounds.items() if one is None]):
        yield Reason("degraded", f"{topic.api}: {_partitions(unknown)} can't be read: the leader does not answer")


Lasts = Callable[[str, float], bool]


def _of_balance(topic: TopicNow, lasts: Lasts) -> Iterator[Reason]:
    if lasts(_differs(topic), DIFFERS_SECONDS):
        yield Reason(
            "down",
            f"{topic.api}: the balance is off by {topic.difference:+,} records. Run `tallymill verify`",
        )
    if removed := [one for one in topic.partitions if one.removed]:
        records = sum(one.removed for one in removed)
        yield Reason(
            "down",
            f"{topic.api}: Kafka has removed {records:,} records of {_partitions_of(removed)} before they were counted",
        )


def _of_partitions(topic: TopicNow, lasts: Lasts) -> Iterator[Reason]:
    """What keeps records from being counted. Each partition has one reason at most, the first that holds."""
    stopped = [one for one in topic.partitions if one.stopped]
    unowned = [one for one in topic.partitions if not one.stopped and lasts(_unowned(topic, one), UNOWNED_SECONDS)]
    stalled = [
        one
        for one in topic.partitions
        if one not in stopped and one not in unowned and lasts(_waits(topic, one), STALLED_SECONDS)
    ]
    nothing_counts = len(stopped) + len(unowned) + len(stalled) == len(topic.partitions)
    severity: Severity = "down" if nothing_counts else "degraded"
    if unowned:
        who = "no worker runs" if len(unowned) == len(topic.partitions) else f"no worker has {_partitions_of(unowned)}"
        yield Reason(severity, f"{topic.api}: {who}, {_waiting(unowned)}")
    if stopped:
        plural = "s" if len(stopped) == 1 else ""
        verb = "is" if plural else "are"
        yield Reason(severity, f"{topic.api}: {_partitions_of(stopped)} {verb} stopped: {stopped[0].stopped}")
    if stalled:
        yield Reason(severity, f"{topic.api}: no record of {_partitions_of(stalled)} is counted, {_waiting(stalled)}")
    late = [one for one in topic.partitions if one not in (*stopped, *unowned, *stalled)]
    if behind := [one for one in late if (one.lag_seconds or 0) > LAG_SECONDS]:
        yield Reason("degraded", f"{topic.api}: workers are behind on {_partitions_of(behind)}, {_waiting(behind)}")
    yield from _of_headroom(topic)


def _of_headroom(topic: TopicNow) -> Iterator[Reason]:
    short = [one for one in topic.partitions if one.lag_records and one.headroom_seconds is not None]
    short = [one for one in short if _is_short(one)]
    if short:
        hours = min(one.headroom_seconds or 0 for one in short) / 3600
        yield Reason(
            "degraded", f"{topic.api}: Kafka removes records of {_partitions_of(short)} uncounted in {hours:.1f} h"
        )


def _is_short(one: PartitionNow) -> bool:
    left, age = one.headroom_seconds or 0, one.lag_seconds or 0
    return left < min(HEADROOM_SECONDS, (left + age) / 10)


def _of_checks(facts: Facts) -> Iterator[Reason]:
    checks = facts.mongodb.checks if isinstance(facts.mongodb, MongoFacts) else {}
    if (verify := checks.get("verify")) and not verify.ok:
        yield Reason("degraded", f"The last `tallymill verify` failed: {verify.detail}")


def _waiting(partitions: Sequence[PartitionNow]) -> str:
    """`45 records wait, the oldest for 12 s`."""
    records = sum(one.lag_records or 0 for one in partitions)
    ages = [one.lag_seconds for one in partitions if one.lag_seconds]
    if any(one.lag_records is None for one in partitions):
        return "and how many records wait is not known"
    if not records:
        return "and no record waits yet"
    wait = "1 record waits" if records == 1 else f"{records:,} records wait"
    return wait + (f", the oldest for {max(ages):,.0f} s" if ages else "")


def _partitions_of(partitions: Sequence[PartitionNow]) -> str:
    return _partitions([one.partition for one in partitions])


def _partitions(numbers: Sequence[int]) -> str:
    """`partition 3`, `partitions 1, 2`; the first few of many."""
    some = ", ".join(map(str, numbers[:5])) + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")  # noqa: PLR2004 as many as are named
    return f"partition{'s' if len(numbers) > 1 else ''} {some}"
