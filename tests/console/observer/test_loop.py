"""The loop: the order of reads, and what a step makes of answers that do not come."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from console.observer import brokers, kafka, oldest
from console.observer import mongodb as mongodb_reader
from console.observer.facts import MongoFacts, Silent, TopicFacts
from console.observer.kafka import Positions
from console.observer.loop import Observer
from console.observer.snapshot import STEP_SECONDS
from tests.clock import TestClock
from tests.console.observer.facts import TOPICS, checkpoint, mongodb, topic


@dataclass
class Servers:
    """Both servers. `read`: in which order, and with which positions."""

    checkpoints: MongoFacts | Silent = field(default_factory=mongodb)
    ends: Mapping[str, TopicFacts] | Silent = field(default_factory=dict)
    read: list[object] = field(default_factory=list)


@dataclass
class OfMongodb:
    servers: Servers

    async def read(self) -> MongoFacts | Silent:
        self.servers.read.append("checkpoints")
        return self.servers.checkpoints


@dataclass
class OfKafka:
    servers: Servers

    async def read(self, positions: Positions) -> Mapping[str, TopicFacts] | Silent:
        self.servers.read.append(positions)
        return self.servers.ends


async def test_checkpoints_are_read_before_ends() -> None:
    """Otherwise a checkpoint could be beyond its end, and the balance would be off."""
    servers = Servers(mongodb(checkpoint(0, 9)), {"records": topic((0, 9))})
    observer = Observer(TOPICS, TestClock(), OfMongodb(servers), OfKafka(servers))
    await observer.step()
    assert ["checkpoints", {"records": {0: 9}, "pools": {}}] == servers.read
    assert 9 == observer.snapshot.topics[0].accepted


async def test_without_mongodb_no_partition_is_known_to_lag() -> None:
    servers = Servers(Silent("x"), {"records": topic((0, 9))})
    observer = Observer(TOPICS, TestClock(), OfMongodb(servers), OfKafka(servers))
    await observer.step()
    assert ["checkpoints", {}] == servers.read
    assert "down" == observer.snapshot.state


async def test_without_a_lineage_everything_lags() -> None:
    servers = Servers(mongodb(lineages=[]), {"records": topic((0, 9))})
    await Observer(TOPICS, TestClock(), OfMongodb(servers), OfKafka(servers)).step()
    assert {"records": {}, "pools": {}} == servers.read[-1]


def test_a_frozen_broker_fails_no_step_and_two_silent_servers_delay_one_by_less_than_ten_seconds() -> None:
    """Times to wait add up to less than what they guard."""
    assert brokers.ANSWER_SECONDS + oldest.SEARCH_SECONDS < kafka.STEP_SECONDS
    assert mongodb_reader.ANSWER_SECONDS + kafka.STEP_SECONDS + STEP_SECONDS <= 10


class EndlessClock(TestClock):
    """Its time passes only while a step is made. The observer is cancelled after so many sleeps."""

    def __init__(self, servers: Servers) -> None:
        super().__init__()
        self.slept: list[float] = []
        self._servers = servers

    def monotonic_seconds(self) -> float:
        return 0.5 * len(self._servers.read)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == 3:
            raise asyncio.CancelledError


async def test_a_step_is_made_every_two_seconds_whoever_looks() -> None:
    """The time that a step takes is part of them."""
    servers = Servers(mongodb(checkpoint(0, 9)))
    clock = EndlessClock(servers)
    observer = Observer(TOPICS, clock, OfMongodb(servers), None)
    with pytest.raises(asyncio.CancelledError):
        await observer.run()
    assert [STEP_SECONDS - 0.5] * 3 == clock.slept
    assert ["checkpoints"] * 3 == servers.read
    assert "unknown" == observer.snapshot.state
