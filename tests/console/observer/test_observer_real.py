"""The observer on real servers: balance, lag, owners and state, whatever happens to workers and servers."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from console.observer.kafka import KafkaReader
from console.observer.loop import Observer
from console.observer.mongodb import MongoReader
from console.observer.snapshot import Snapshot, TopicNow
from console.observer.topics import Topic
from ops.config import Settings
from schemas.settings import APIS
from serving.clock import SystemClock
from serving.mongodb.client import new_client
from tests.console.rig import Rig
from tests.consumer.processes import SESSION_SECONDS, workers
from tests.consumer.sums import Sent, counting, declare, mixed, send
from tests.patience import PATIENCE_SECONDS
from tests.real import place
from tests.servers import Servers

# How long the killed worker keeps its partitions, and so how long its last records wait.
LEFT_SECONDS = SESSION_SECONDS / 2


@asynccontextmanager
async def observer_of(settings: Settings) -> AsyncIterator[Observer]:
    """The observer of a place. A test calls its steps."""
    kafka, clock = settings.kafka, SystemClock()
    of_mongodb, of_kafka = MongoReader(settings.mongodb, clock), KafkaReader(kafka, APIS)
    topics = [Topic(api, kafka.topic(api), kafka.retention_seconds) for api in APIS]
    try:
        yield Observer(topics, clock, of_mongodb, of_kafka)
    finally:
        await of_mongodb.close()
        await of_kafka.close()


async def until(observer: Observer, condition: Callable[[Snapshot], bool]) -> Snapshot:
    """Steps until the snapshot is as wanted."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        await observer.step()
        if condition(observer.snapshot):
            return observer.snapshot
        assert time.monotonic() < give_up, observer.snapshot
        await asyncio.sleep(0.2)


def games(snapshot: Snapshot) -> TopicNow:
    return snapshot.topics[0]


async def test_o4_lag_stays_and_grows_when_the_worker_is_killed(servers: Servers, tmp_path: Path) -> None:
    """And the next worker counts it: then every record of the load has its fate, and nothing waits."""
    async with place(servers, partitions=2) as where, observer_of(where.settings) as observer:
        await declare(where)
        with workers(tmp_path, where.settings) as started:
            worker = started.start()
            sent = [*mixed(0, 10, 3), counting(1, 100)]
            await send(where.settings, sent)
            well = await until(observer, lambda one: one.state == "well" and games(one).in_flight == 0)
            assert games(well).accepted == len(sent)
            assert {True} == {one.owned for one in games(well).partitions}
            worker.send(signal.SIGKILL)
            await worker.exited()
            left = [counting(0, 200), counting(0, 201)]
            await send(where.settings, left)
            young = await until(observer, lambda one: bool(games(one).lag_seconds))
            down = await until(observer, lambda one: one.state == "down")
            assert (2, 2, 0) == (games(down).lag_records, games(down).in_flight, games(down).difference)
            assert seconds_of(young) < seconds_of(down)
            assert down.reasons[0].startswith("games: no worker runs, 2 records wait, the oldest for ")
            assert {(None, False)} == {(one.owner, one.owned) for one in games(down).partitions}
            started.start()
            await until(observer, lambda one: one.state == "well" and games(one).in_flight == 0)
            # A flush adds how long its records took with the next one.
            await send(where.settings, [counting(0, 202)])
            late = games(await until(observer, lambda one: games(one).visible is not None))
            assert (len(sent) + 3, 0) == (late.accepted, late.difference)
            assert late.visible
            assert late.visible.p99 > LEFT_SECONDS
    assert_fates(late, sent)


def seconds_of(snapshot: Snapshot) -> float:
    seconds = games(snapshot).lag_seconds
    assert seconds is not None
    return seconds


def assert_fates(found: TopicNow, sent: Sequence[Sent]) -> None:
    """Of what was sent, and of the three records after it."""
    outcomes = Counter(one.outcome for one in sent)
    once = len({(one.player, one.request_id) for one in sent if one.outcome == "counts"})
    expected = (once + 3, outcomes["counts"] - once, outcomes["refused"], outcomes["dead"])
    assert expected == (found.applied, found.duplicate, found.refused, found.dead)


async def test_o3_records_of_an_open_transaction_are_not_accepted_yet(servers: Servers) -> None:
    """And its marker is an offset without a record. No worker has ever run, so all that is accepted waits."""
    async with place(servers, partitions=2) as where, observer_of(where.settings) as observer:
        topic = where.settings.kafka.records_topic
        producer = AIOKafkaProducer(bootstrap_servers=servers.kafka, transactional_id=topic)
        await producer.start()
        try:
            await producer.begin_transaction()
            for number in range(2):
                await producer.send_and_wait(topic, b"%d" % number, partition=1)
            open_one = games(await until(observer, lambda one: games(one).accepted is not None))
            assert (0, 0, 0.0) == (open_one.accepted, open_one.lag_records, open_one.lag_seconds)
            await producer.commit_transaction()
        finally:
            await producer.stop()
        closed = games(await until(observer, lambda one: games(one).accepted == 3))
        assert (3, 3, 0) == (closed.in_flight, closed.lag_records, closed.difference)
        assert [0.0, closed.lag_seconds] == [one.lag_seconds for one in closed.partitions]
        assert closed.lag_seconds


async def test_o1_ten_readers_cost_mongodb_no_command_more_than_none(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted at the observer's client, and by a console that has no other."""
    commands = Commands()
    monkeypatch.setattr("console.observer.mongodb.new_client", partial(new_client, event_listeners=[commands]))
    async with place(servers, partitions=1) as where, observer_of(where.settings) as observer:
        rig = Rig(observer=observer)
        alone = await commands_of(observer, commands, rig, readers=0)
        assert alone
        assert alone == await commands_of(observer, commands, rig, readers=10)
        # In the same place: a topic that is deleted is missing, and nothing of it is known.
        admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
        await admin.start()
        await admin.delete_topics([where.settings.kafka.records_topic])
        await admin.close()
        gone = await until(observer, lambda one: "does not exist" in "".join(one.reasons))
        assert ("down", None, None) == (gone.state, games(gone).accepted, games(gone).lag_records)


class Commands(CommandListener):
    """The names of the commands that a client has sent."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.names.append(event.command_name)

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


async def commands_of(observer: Observer, commands: Commands, rig: Rig, readers: int) -> list[str]:
    """The commands of ten steps, between which each reader asks for the snapshot and for the metrics."""
    commands.names.clear()
    for _ in range(10):
        await observer.step()
        for _ in range(readers):
            assert 200 == (await rig.get("/v1/system")).status
            assert 200 == (await rig.call("GET", "/metrics")).status
    return list(commands.names)
