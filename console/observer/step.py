"""One step of the observer: what was read, and what is remembered, make the next snapshot. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from console.observer.facts import Facts, MongoFacts
from console.observer.judge import NOT_READ, conditions_of, judge
from console.observer.memory import Memory, counters_of, lasting, longer, remembered, with_rates
from console.observer.snapshot import Snapshot, TopicNow
from console.observer.topics import Topic, topic_now


def nothing_yet(topics: Sequence[Topic], now_millis: int) -> Snapshot:
    """The snapshot before the first step."""
    empty = tuple(TopicNow(one.api, one.name) for one in topics)
    return Snapshot(now_millis, "unknown", now_millis, (NOT_READ,), empty)


def observe(topics: Sequence[Topic], memory: Memory, facts: Facts) -> tuple[Memory, Snapshot]:
    """The snapshot of this step, and what to remember for the next."""
    counters = {topic.api: counters_of(topic, facts) for topic in topics}
    now = tuple(
        with_rates(topic_now(topic, facts), memory.counters.get(topic.api, ()), counters[topic.api]) for topic in topics
    )
    lasts = lasting(memory.lasting, conditions_of(now), facts.at_millis)
    judged = judge(facts, now, lasts)
    is_same = memory.state == judged.state and memory.since_millis is not None
    memory = replace(
        memory,
        counters={api: remembered(memory.counters.get(api, ()), one) for api, one in counters.items()},
        history=longer(memory.history, facts.at_millis, now),
        lasting=lasts,
        state=judged.state,
        since_millis=memory.since_millis if is_same else facts.at_millis,
    )
    return memory, _snapshot(facts, now, memory, judged.reasons)


def _snapshot(facts: Facts, topics: Sequence[TopicNow], memory: Memory, reasons: Sequence[str]) -> Snapshot:
    mongodb = facts.mongodb if isinstance(facts.mongodb, MongoFacts) else MongoFacts()
    return Snapshot(
        as_of_millis=facts.at_millis,
        state=memory.state,
        since_millis=facts.at_millis if memory.since_millis is None else memory.since_millis,
        reasons=reasons,
        topics=topics,
        refused_per_second=mongodb.refused_per_second,
        history=memory.history,
        last_verify=mongodb.checks.get("verify"),
        last_doctor=mongodb.checks.get("doctor"),
    )
