"""What a client still returns after another has taken its place, and partitions that are read no more. No broker."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from consumer.fetching.batch import damaged
from consumer.kafka.damage import TRIES, DamagedBatches
from consumer.kafka.topic_id import first_topic_answer
from consumer.ports import Damaged
from tests.consumer.kafka.test_reader_protocol import READ, TOPIC, UNREAD, Broker, Fetcher, fetched, log_with, record
from tests.patience import PATIENCE_SECONDS


async def test_what_a_replaced_client_still_returns_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The new client reads on from what was given out, so it would come twice."""
    waiting, go_on = asyncio.Event(), asyncio.Event()
    async with log_with(monkeypatch, Broker([])) as log:
        old, made = log._source, log._new_source()

        async def getmany(*_: TopicPartition, **__: object) -> dict[TopicPartition, list[ConsumerRecord]]:
            waiting.set()
            await go_on.wait()
            old.consumer.seek(READ, 7)
            return {READ: [record(5), record(6)]}

        async def start() -> None:
            monkeypatch.setattr(made.consumer, "_fetcher", Fetcher(made.consumer._subscription))

        monkeypatch.setattr(old.consumer, "getmany", getmany)
        monkeypatch.setattr(made, "start", start)
        monkeypatch.setattr(log, "_new_source", lambda: made)
        fetching = asyncio.create_task(fetched(log))
        await waiting.wait()
        assert await log._replace_client("a test")
        go_on.set()
        assert {} == await fetching
        assert 5 == log.reached(0)
        assert {READ: 5, UNREAD: 0} == made.positions([READ, UNREAD])


async def test_a_partition_that_was_lost_is_not_sought(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its flusher learns of it a moment later."""
    async with log_with(monkeypatch, Broker([])) as log:
        log._share(frozenset({0}))
        log.seek(1, 3)
        assert log.reached(1) is None


async def test_no_leader_is_asked_about_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several times a second, of each partition."""
    broker = Broker([])
    async with log_with(monkeypatch, broker) as log:
        await fetched(log)
        broker.gate.clear()
        assert {} == await fetched(log)
        assert not log._verifying.partitions


def found_damaged(batches: DamagedBatches, *good: int) -> int | None:
    found: list[Any] = [*(record(offset) for offset in good), damaged("its checksum is wrong")]
    return batches.offset_to_retry(READ, found, 5)


def test_a_batch_that_is_damaged_each_time_is_given_up_at_the_third() -> None:
    """The network may have damaged it, and then not again. Where reading goes on, the count begins anew."""
    batches = DamagedBatches()
    assert [5] * (TRIES - 1) == [found_damaged(batches) for _ in range(TRIES - 1)]
    assert 7 == found_damaged(batches, 5, 6)
    for _ in range(TRIES - 2):
        found_damaged(batches, 5, 6)
    batches.raise_given_up()
    found_damaged(batches, 5, 6)
    with pytest.raises(Damaged) as given_up:
        batches.raise_given_up()
    assert {0: "its checksum is wrong"} == given_up.value.partitions
    batches.raise_given_up()
    assert 3 == TRIES


async def test_a_frozen_broker_delays_no_answer_about_the_topic() -> None:
    async def send(node: int, _request: object) -> Any:  # noqa: ANN401 aiokafka's
        if node == 0:
            await asyncio.Event().wait()
        return SimpleNamespace(cluster_id="cluster", topics=[(0, TOPIC, "id", False, [(0, 1, 0, 7)])])

    brokers = [SimpleNamespace(nodeId=node) for node in range(2)]
    client: Any = SimpleNamespace(cluster=SimpleNamespace(brokers=lambda: brokers), send=send)
    answer = await first_topic_answer(client, TOPIC, PATIENCE_SECONDS)
    assert {1: 7} == answer.leader_epochs
