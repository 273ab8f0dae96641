"""Kafka as the worker's log, without a broker: what happens between a fetch and its records."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from consumer.config import WorkerSettings
from consumer.kafka import KafkaLog
from schemas.settings import KafkaSettings
from tests.patience import PATIENCE_SECONDS

TOPIC = KafkaSettings().records_topic
READ, UNREAD = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)


def record(offset: int) -> ConsumerRecord:
    return ConsumerRecord(TOPIC, 0, offset, 1_790_000_000_000, 1, b"demo/ann", b"{}", None, 8, 2, ())


class Fetcher:
    """As much of aiokafka's as a consumer that never started needs."""

    def __init__(self, subscription: Any) -> None:  # noqa: ANN401 aiokafka has no types
        self._subscription = subscription

    def seek_to(self, partition: TopicPartition, offset: int) -> None:
        self._subscription.seek(partition, offset)

    async def close(self) -> None: ...


@asynccontextmanager
async def log_with(monkeypatch: pytest.MonkeyPatch, *offsets: int) -> AsyncIterator[KafkaLog]:
    """One partition is sought at 5, and the broker gives these offsets; the other has no position yet."""
    log = KafkaLog(KafkaSettings(bootstrap_servers="127.0.0.1:1"), WorkerSettings())
    log._share(frozenset({0, 1}))
    log._consumer._fetcher = Fetcher(log._consumer._subscription)
    log.seek(0, 5)
    log._reached[UNREAD] = 0

    async def getmany(**_: object) -> dict[TopicPartition, list[ConsumerRecord]]:
        log._consumer.seek(READ, offsets[-1] + 1)
        return {READ: [record(offset) for offset in offsets]}

    async def verified(_: object) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(log._consumer, "getmany", getmany)
    monkeypatch.setattr(log, "_verify", verified)
    try:
        yield log
    finally:
        await log.stop()


async def test_records_wait_for_no_position_of_another_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come never; and whatever is sought or lost while it is waited for would mix with them."""
    async with log_with(monkeypatch, 5, 6) as log:
        fetched = await asyncio.wait_for(log.fetch(0), PATIENCE_SECONDS)
        assert {0: [5, 6]} == {partition: [one.offset for one in records] for partition, records in fetched.items()}
        assert (7, 0) == (log.reached(0), log.reached(1))


@pytest.mark.parametrize("how", ["sought", "held"])
async def test_records_fetched_before_a_partition_was_sought_or_held_are_dropped(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be taken for those that follow the new position, and what lies between for a gap."""
    async with log_with(monkeypatch, 10, 11) as log:
        fetching = asyncio.create_task(log.fetch(0))
        await asyncio.sleep(0)  # it waits for the topic's identity
        if how == "sought":
            log.seek(0, 5)
        else:
            log.hold(0)
        assert await asyncio.wait_for(fetching, PATIENCE_SECONDS) == {}
        assert (5 if how == "sought" else None) == log.reached(0)


async def test_a_partition_lost_with_its_records_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebalance between two fetches: seen to end a worker."""
    async with log_with(monkeypatch, 5) as log:
        log._reached.pop(READ)
        assert await asyncio.wait_for(log.fetch(0), PATIENCE_SECONDS) == {}
