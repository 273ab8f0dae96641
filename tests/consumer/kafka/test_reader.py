"""Kafka as the worker's log, on a real broker."""

import asyncio
import time
from collections.abc import Mapping

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from consumer.core.records import Record
from consumer.kafka.reader import KafkaSource
from tests.consumer.parts import eventually
from tests.patience import PATIENCE_SECONDS
from tests.real import Place, place
from tests.samples import batch, period, sealed, update
from tests.servers import Servers


class Recorder:
    """Seeks the partitions of each share to the given offsets."""

    def __init__(self, log: KafkaSource, offsets: Mapping[int, int]) -> None:
        self.log = log
        self.offsets = offsets
        self.owned: frozenset[int] = frozenset()

    def given(self, share: frozenset[int]) -> None:
        for partition in (share - self.owned) & self.offsets.keys():
            self.log.seek(partition, self.offsets[partition])
        self.owned = share


def log_of(where: Place) -> KafkaSource:
    return KafkaSource(where.settings.kafka, where.settings.worker)


async def read(log: KafkaSource, wanted: int) -> dict[int, list[Record]]:
    """Fetch until so many records have come."""
    got: dict[int, list[Record]] = {}
    give_up = time.monotonic() + PATIENCE_SECONDS
    while sum(map(len, got.values())) < wanted:
        assert time.monotonic() < give_up, got
        for partition, records in (await log.fetch(0.2)).items():
            got.setdefault(partition, []).extend(records)
    return got


def one(offset: int) -> Record:
    return sealed(offset, batch(period(update()), request_id=str(offset + 1)), request_id=offset + 1)


async def test_an_aborted_transaction_is_never_read(servers: Servers) -> None:
    """read_committed: a producer's aborted records don't count; the control record is a gap."""
    async with place(servers) as where:
        topic = where.settings.kafka.records_topic
        async with AIOKafkaProducer(bootstrap_servers=servers.kafka, transactional_id=topic) as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"aborted", partition=0)
            await producer.abort_transaction()
            async with producer.transaction():
                await producer.send_and_wait(topic, b"committed", partition=0)
        log = log_of(where)
        await log.start(Recorder(log, {0: 0, 1: 0}).given)
        await log.identity()
        try:
            (records,) = (await read(log, 1)).values()
            assert [(r.offset, r.value) for r in records] == [(2, b"committed")]
        finally:
            await log.stop()


async def test_two_members_share_the_partitions_and_one_takes_over(servers: Servers) -> None:
    """It leaves the group at once, so the other need not wait until a session ends."""
    async with place(servers) as where:
        logs = [log_of(where), log_of(where)]
        listeners = [Recorder(log, {0: 0, 1: 0}) for log in logs]
        for log, listener in zip(logs, listeners, strict=True):
            await log.start(listener.given)
        try:
            await eventually(lambda: sorted(len(listener.owned) for listener in listeners) == [1, 1])
            await logs[0].stop()
            await eventually(lambda: listeners[1].owned == {0, 1})
        finally:
            await logs[1].stop()


async def test_a_topic_made_anew_has_another_identity(servers: Servers) -> None:
    """The same name, other offsets: the topic id differs."""
    async with place(servers) as where:
        log = log_of(where)
        await log.start(Recorder(log, {0: 0, 1: 0}).given)
        admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
        await admin.start()
        try:
            first = await log.identity()
            assert first == await log.identity()
            await admin.delete_topics([first.topic])
            second = first
            give_up = time.monotonic() + PATIENCE_SECONDS
            while second == first:
                assert time.monotonic() < give_up
                await admin.create_topics([NewTopic(first.topic, num_partitions=1, replication_factor=1)])
                await asyncio.sleep(0.1)
                second = await log.identity()
        finally:
            await admin.close()
            await log.stop()
        assert (second.cluster, second.topic) == (first.cluster, first.topic)
        assert second.topic_id != first.topic_id
