"""Where a worker reads on in a real log that was cut, shortened, or has control records in it: never by a guess."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from pymongo import AsyncMongoClient

from consumer.kafka.reader import KafkaSource
from consumer.mongo.store import MongoStore
from schemas.documents import CHECKPOINTS
from tests.consumer.parts import parts, running
from tests.consumer.sums import Sent, assert_exact, checkpoints, counting, send, send_with, until_applied
from tests.consumer.waiting import until
from tests.real import Place, place
from tests.servers import Servers
from tests.stored_ids import stored_ids

APPLIED = 10
"""Offsets of partition 0 that were applied before the worker went away."""


@asynccontextmanager
async def at_work(where: Place) -> AsyncIterator[None]:
    """A worker in this process, over Kafka and MongoDB; it leaves its group at the end."""
    uri = where.settings.mongodb.uri
    assert uri
    async with AsyncMongoClient[dict[str, Any]](uri.get_secret_value(), tz_aware=True) as client:
        store = MongoStore(client, where.settings.mongodb.database, lambda _, __: None)
        async with running(parts(KafkaSource(where.settings.kafka, where.settings.worker), store)):
            yield


@asynccontextmanager
async def away(servers: Servers) -> AsyncIterator[tuple[Place, list[Sent]]]:
    """Two partitions, of which ten records each were applied before their worker stopped."""
    async with place(servers, partitions=2) as where:
        sent = [counting(partition, 100 * partition + n) for n in range(10, 20) for partition in (0, 1)]
        await send(where.settings, sent)
        async with at_work(where):
            await until_applied(where, 2 * APPLIED)
        yield where, sent


def five_more(partition: int, first_id: int = 500) -> list[Sent]:
    return [counting(partition, first_id + n) for n in range(5)]


async def remove_below(where: Place, partition: int, offset: int) -> None:
    """What retention does."""
    kafka = where.settings.kafka
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    await admin.delete_records({TopicPartition(kafka.records_topic, partition): RecordsToDelete(offset)})
    await admin.close()


async def stopped_with(where: Place, words: str, sent: Sequence[Sent]) -> None:
    """Partition 0 has stopped with this reason; partition 1 continues."""
    more = five_more(1)
    async with at_work(where):
        await send(where.settings, more)
        await until(lambda: _is_stopped(where), "partition 0 stopped")
        await until(lambda: _is_at(where, 1, APPLIED + len(more)), "partition 1 applied")
    found = await checkpoints(where)
    assert words in found["r1/00"]["stopped"]
    assert "stopped" not in found["r1/01"]
    assert found["r1/00"]["fates"]["applied"] == APPLIED
    assert len(stored_ids((await where.documents("requests")).values())) == len(sent) + len(more)


async def _is_stopped(where: Place) -> bool:
    return "stopped" in (await checkpoints(where))["r1/00"]


async def _is_at(where: Place, partition: int, offset: int) -> bool:
    return bool((await checkpoints(where))[f"r1/{partition:02}"]["next"] == offset)


async def test_records_removed_before_they_were_applied_stop_the_partition(servers: Servers) -> None:
    """It reports which offsets are lost, and reads nothing after them."""
    async with away(servers) as (where, sent):
        await send(where.settings, five_more(0))
        await remove_below(where, 0, APPLIED + 3)
        await stopped_with(where, "offsets 10 to 12 were removed", sent)


async def test_records_removed_after_they_were_applied_are_no_loss(servers: Servers) -> None:
    """Retention up to the next offset: the last applied record isn't there to compare, and needn't be."""
    async with away(servers) as (where, sent):
        more = five_more(0)
        await send(where.settings, more)
        await remove_below(where, 0, APPLIED)
        async with at_work(where):
            await until_applied(where, len(sent) + len(more))
        await assert_exact(where, sent + more)


async def test_another_record_where_the_last_one_was_stops_the_partition(servers: Servers) -> None:
    """The log was cut and written again. Only the fingerprint shows it."""
    async with away(servers) as (where, sent):
        await where.database[CHECKPOINTS].update_one({"_id": "r1/00"}, {"$bit": {"last.crc": {"xor": 1}}})
        await send(where.settings, five_more(0))
        await stopped_with(where, "the record at offset 9 is not the one that was applied there", sent)


async def test_a_log_that_ends_before_the_checkpoint_stops_the_partition(servers: Servers) -> None:
    """What would be written up to there is of another log: it must not be passed over in silence."""
    async with away(servers) as (where, sent):
        await where.database[CHECKPOINTS].update_one({"_id": "r1/00"}, {"$set": {"next": APPLIED + 40}})
        await stopped_with(where, "the log ends at 10, but offsets below 50 have been applied", sent)


@pytest.mark.parametrize("removed", [0, APPLIED])
async def test_a_record_in_a_gap_that_was_passed_stops_the_partition(servers: Servers, removed: int) -> None:
    """The last applied record is the same, or removed. Offsets 10 and 11 were passed as a gap: no record was there."""
    async with away(servers) as (where, sent):
        await where.database[CHECKPOINTS].update_one({"_id": "r1/00"}, {"$set": {"next": APPLIED + 2}})
        await send(where.settings, five_more(0))
        await remove_below(where, 0, removed)
        await stopped_with(where, "a record at offset 10, where none was when offsets below 12 were passed", sent)


async def test_aborted_records_never_count_and_their_offsets_are_gaps(servers: Servers) -> None:
    """read_committed, all the way to the sums: fates and gaps add up to the offset."""
    async with place(servers, partitions=1) as where:
        topic = where.settings.kafka.records_topic
        sent = [counting(0, 10), counting(0, 11)]
        async with AIOKafkaProducer(bootstrap_servers=servers.kafka, transactional_id=topic) as producer:
            await producer.begin_transaction()
            await send_with(producer, topic, [counting(0, 12), counting(0, 13), counting(0, 11)])
            await producer.abort_transaction()
            async with producer.transaction():
                await send_with(producer, topic, sent)
        async with at_work(where):
            await until_applied(where, 7)
        await assert_exact(where, sent, gaps=5)
