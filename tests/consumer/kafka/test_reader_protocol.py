"""Kafka as the worker's log, without a broker: what happens between a fetch and its records."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from consumer.config import WorkerSettings
from consumer.kafka.reader import KafkaSource
from consumer.kafka.topic_id import TopicAnswer
from consumer.ports import LeaderChanged, TopicChanged, TopicIdentity, Unavailable
from schemas.settings import KafkaSettings
from tests.patience import PATIENCE_SECONDS

TOPIC = KafkaSettings().records_topic
READ, UNREAD = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)
IDENTITY = TopicIdentity("cluster", TOPIC, "0123")


def record(offset: int) -> ConsumerRecord:
    return ConsumerRecord(TOPIC, 0, offset, 1_790_000_000_000, 1, b"demo/ann", b"{}", None, 8, 2, ())


class Fetcher:
    """As much of aiokafka's as a consumer that never started needs."""

    def __init__(self, subscription: Any) -> None:  # noqa: ANN401 aiokafka has no types
        self._subscription = subscription

    def seek_to(self, partition: TopicPartition, offset: int) -> None:
        self._subscription.seek(partition, offset)

    async def close(self) -> None: ...


@dataclass
class Broker:
    """The broker's records and answers. `gate` delays its answers."""

    offsets: list[int]
    identity: TopicIdentity = IDENTITY
    epochs: dict[int, int] = field(default_factory=lambda: {0: 3, 1: 3})
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    fails: bool = False

    async def answer(self, *_: object) -> TopicAnswer:
        await self.gate.wait()
        if self.fails:
            raise Unavailable("Kafka: broker 0 does not answer")
        return TopicAnswer(self.identity, dict(self.epochs))


@asynccontextmanager
async def log_with(monkeypatch: pytest.MonkeyPatch, broker: Broker) -> AsyncIterator[KafkaSource]:
    """One partition is read from 5 and has records. The other is read from 0 and has none."""
    broker.gate.set()
    log = KafkaSource(KafkaSettings(bootstrap_servers="127.0.0.1:1"), WorkerSettings())
    monkeypatch.setattr("consumer.kafka.reader.topic_answer", broker.answer)
    monkeypatch.setattr("consumer.kafka.reader.first_topic_answer", broker.answer)
    log._share(frozenset({0, 1}))
    consumer = log._source.consumer
    monkeypatch.setattr(consumer, "_fetcher", Fetcher(consumer._subscription))
    monkeypatch.setattr(log._source, "ended", lambda: None)

    async def getmany(*wanted: TopicPartition, **_: object) -> dict[TopicPartition, list[ConsumerRecord]]:
        await asyncio.sleep(0)
        given, broker.offsets = (broker.offsets, []) if READ in wanted else ([], broker.offsets)
        if not given:
            return {}
        log._source.consumer.seek(READ, given[-1] + 1)
        return {READ: [record(offset) for offset in given]}

    monkeypatch.setattr(consumer, "getmany", getmany)
    log.seek(0, 5)
    log.seek(1, 0)
    await log.identity()
    try:
        yield log
    finally:
        await log.stop()


async def fetched(log: KafkaSource) -> dict[int, list[int]]:
    given = await asyncio.wait_for(log.fetch(0.01), PATIENCE_SECONDS)
    return {partition: [one.offset for one in records] for partition, records in given.items()}


async def test_records_come_once_their_leader_has_said_whose_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the position of each partition."""
    async with log_with(monkeypatch, Broker([5, 6])) as log:
        assert {0: [5, 6]} == await fetched(log)
        assert (7, 0) == (log.reached(0), log.reached(1))


async def test_a_leader_that_is_silent_delays_its_own_records_and_loses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """They come with a later fetch, once, in order; nothing is drained behind them meanwhile."""
    broker = Broker([5, 6])
    async with log_with(monkeypatch, broker) as log:
        await fetched(log)
        broker.offsets = [7, 8]
        broker.gate.clear()
        assert {} == await fetched(log)
        broker.offsets = [9]
        assert {} == await fetched(log)
        assert 7 == log.reached(0)
        broker.gate.set()
        assert {0: [7, 8]} == await fetched(log)
        assert {0: [9]} == await fetched(log)


async def test_a_leader_that_fails_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure is reported; then the records come."""
    broker = Broker([5])
    async with log_with(monkeypatch, broker) as log:
        await log._note_epochs()
        broker.fails = True
        with pytest.raises(Unavailable, match="does not answer"):
            await fetched(log)
        broker.fails = False
        got: dict[int, list[int]] = {}
        give_up = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while not got and asyncio.get_running_loop().time() < give_up:
            got = await fetched(log)
        assert {0: [5]} == got


@pytest.mark.parametrize("how", ["sought", "held", "lost"])
async def test_records_fetched_before_a_partition_was_sought_held_or_lost_are_dropped(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be taken for records after the new position, and the offsets between for a gap."""
    broker = Broker([10, 11])
    async with log_with(monkeypatch, broker) as log:
        await log._note_epochs()
        broker.gate.clear()
        assert {} == await fetched(log)  # it waits for the leader's word
        if how == "sought":
            log.seek(0, 5)
        elif how == "held":
            log.pause(0)
        else:
            log._share(frozenset({1}))
        broker.gate.set()
        assert {} == await fetched(log)
        assert (5 if how == "sought" else None) == log.reached(0)


async def test_an_election_is_told_before_anything_read_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an unclean election another record may be below the position: the fingerprint is compared first."""
    broker = Broker([5])
    async with log_with(monkeypatch, broker) as log:
        assert {0: [5]} == await fetched(log)
        broker.offsets, broker.epochs[0] = [6], 4
        assert {} == await fetched(log)
        with pytest.raises(LeaderChanged) as told:
            await fetched(log)
        assert [0] == told.value.partitions
        assert log.reached(0) is None
        log.seek(0, 5)
        broker.offsets = [5, 6]
        assert {0: [5, 6]} == await fetched(log)


async def test_an_election_between_seeking_and_the_first_records_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of elections is asked for before anything is read."""
    broker = Broker([])
    async with log_with(monkeypatch, broker) as log:
        await fetched(log)
        broker.offsets, broker.epochs[0] = [5], 4
        assert {} == await fetched(log)
        with pytest.raises(LeaderChanged):
            await fetched(log)


async def test_a_topic_made_anew_is_told_instead_of_its_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its offsets mean other records."""
    broker = Broker([5])
    async with log_with(monkeypatch, broker) as log:
        broker.identity = TopicIdentity("cluster", TOPIC, "4567")
        with pytest.raises(TopicChanged):
            await fetched(log)


async def test_a_new_share_leaves_what_stays_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its position, and the records on their way."""
    broker = Broker([5, 6])
    async with log_with(monkeypatch, broker) as log:
        await fetched(log)
        broker.offsets = [7]
        broker.gate.clear()
        assert {} == await fetched(log)
        log._share(frozenset({0, 4}))
        broker.gate.set()
        assert {0: [7]} == await fetched(log)
        assert (8, None, None) == (log.reached(0), log.reached(1), log.reached(4))


async def test_a_client_whose_task_has_ended_is_unavailable_and_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else would say that it reads nothing any more."""
    async with log_with(monkeypatch, Broker([])) as log:
        monkeypatch.setattr(log._source, "ended", lambda: "the task that fetches")
        with pytest.raises(Unavailable, match="the task that fetches of the client has ended"):
            await fetched(log)
        assert "the task that fetches has ended" == log._watch._reason_to_replace()


async def test_an_end_that_is_not_told_any_more_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """As unknown as the time since is long; while nothing is asked, for want of room, it is not."""
    now = [0.0]
    async with log_with(monkeypatch, Broker([])) as log:
        monkeypatch.setattr(log._unanswered, "now", lambda: now[0])
        state = log._source.state(READ)
        assert state is not None
        state.lso, state.highwater, state.timestamp = 9, 12, 1
        await fetched(log)
        await log._confirm_ends()
        assert (9, 3) == (log.end_offset(0), log.uncommitted(0))
        now[0] += 3600
        await fetched(log)
        assert 9 == log.end_offset(0), "an hour without a question"
        for _ in range(4):
            now[0] += 3
            await fetched(log)
        assert (None, None) == (log.end_offset(0), log.uncommitted(0))
        assert log.unread_seconds(0) > 10
        state.timestamp = 2
        await fetched(log)
        assert (9, 0) == (log.end_offset(0), log.unread_seconds(0))


async def test_the_end_of_another_leaders_log_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be where the checkpoint is by chance: that is no lag of 0, for acknowledged records may be missing."""
    broker = Broker([])
    async with log_with(monkeypatch, broker) as log:
        await fetched(log)
        state = log._source.state(READ)
        assert state is not None
        state.lso, state.highwater = 5, 5
        await log._confirm_ends()
        assert 5 == log.end_offset(0)
        broker.epochs[0] = 4
        await log._confirm_ends()
        assert (None, None) == (log.end_offset(0), log.uncommitted(0))


async def test_an_end_is_unknown_before_anything_has_confirmed_its_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read and verified moves a known end on."""
    broker = Broker([5, 6])
    async with log_with(monkeypatch, broker) as log:
        await fetched(log)
        state = log._source.state(READ)
        assert state is not None
        state.lso, state.highwater = 6, 6
        assert log.end_offset(0) is None
        await log._confirm_ends()
        assert 7 == log.end_offset(0)
