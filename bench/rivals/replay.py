"""The MongoDB commands of a worker's flushes, without Kafka, JSON and planning: how fast a worker could be at best.

There is one process for each worker. It reads its share of the partitions, decodes the records, cuts them into flushes
and plans them all. When every process has done so (each adds a document to `ready`), they apply their plans through the
worker's own store, all partitions side by side.
"""

import argparse
import asyncio
import gc
import os
from collections.abc import Iterator
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection

from consumer.core.backlog import Backlog
from consumer.core.decode import DECODES
from consumer.core.plan import WritePlan
from consumer.core.planners import PLANNERS
from consumer.core.reads import Known, KnownTitles, Reads
from consumer.core.records import Record
from consumer.mongo.store import MongoStore
from ops.config import Settings, load_settings
from ops.connect import kafka_consumer
from ops.topic import bounds_of
from schemas.coordinates import PartitionId
from schemas.documents import TitleDocument
from schemas.records.signing import signing_keys
from schemas.settings import APIS, Api

Planned = list[tuple[Reads, WritePlan]]

LINEAGE = "r1"
READY = "ready"
POLL_SECONDS = 0.05


async def run(own: int, processes: int, api: Api) -> None:
    settings = load_settings()
    uri = settings.mongodb.uri.get_secret_value() if settings.mongodb.uri else ""
    planned = await _plan_all(settings, api, range(own, settings.kafka.partitions, processes))
    # The plans live to the end. The collector would walk through their hundreds of megabytes again and again.
    gc.collect()
    gc.freeze()
    async with AsyncMongoClient[dict[str, Any]](uri, tz_aware=True) as client:
        store = MongoStore(client, settings.mongodb.database, lambda _step, _seconds: None)
        await asyncio.gather(*(store.claim(partition, "replay") for partition in planned))
        await _all_ready(client[settings.mongodb.database][READY], processes)
        await asyncio.gather(*(_apply(store, flushes) for flushes in planned.values()))
        await asyncio.Event().wait()  # until killed: its CPU time is read while it lives


async def _plan_all(settings: Settings, api: Api, partitions: range) -> dict[PartitionId, Planned]:
    async with kafka_consumer(settings) as consumer:
        return {
            PartitionId(LINEAGE, p): list(_plans(settings, api, PartitionId(LINEAGE, p), records))
            for p in partitions
            if (records := await _read(consumer, settings.kafka.topic(api), p))
        }


async def _read(consumer: AIOKafkaConsumer, topic: str, partition: int) -> list[Record]:
    """The whole of a partition."""
    ours = TopicPartition(topic, partition)
    consumer.assign([ours])
    (_, end) = (await bounds_of(consumer, topic, [partition]))[partition]
    consumer.seek(ours, 0)
    records: list[Record] = []
    while await consumer.position(ours) < end:
        fetched = (await consumer.getmany(timeout_ms=200)).get(ours, ())
        records += [Record(r.offset, r.timestamp, r.key, r.value, r.headers) for r in fetched]
    return records


def _plans(
    settings: Settings, api: Api, partition: PartitionId, records: list[Record]
) -> Iterator[tuple[Reads, WritePlan]]:
    """Flushes as large as those of a worker that lags, planned as if no id and every title were stored."""
    worker, planner = settings.worker, PLANNERS[api]
    keys = signing_keys(settings.signing)
    backlog = Backlog(worker.max_flush_records, worker.max_flush_bytes, keys, DECODES[api])
    backlog.offer(records)
    start = 0
    while backlog.decode_some(worker.max_flush_records) and (flush := backlog.take(partition, start)):
        reads = planner.reads_of(flush)
        titles: dict[str, TitleDocument] = {key: {"_id": key, "from": ""} for key in reads.titles.keys}
        yield reads, planner.make_plan(flush, Known(titles=KnownTitles(titles)), settings.limits)
        start = flush.end


async def _all_ready(ready: AsyncCollection[dict[str, Any]], processes: int) -> None:
    await ready.insert_one({"_id": os.getpid()})
    while await ready.estimated_document_count() < processes:  # noqa: ASYNC110 other processes
        await asyncio.sleep(POLL_SECONDS)


async def _apply(store: MongoStore, flushes: Planned) -> None:
    for reads, plan in flushes:
        await store.apply(reads, lambda _known, plan=plan: plan)  # type: ignore[misc]  # mypy can't infer the default


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("own", type=int)
    parser.add_argument("processes", type=int)
    parser.add_argument("api", choices=APIS)
    options = parser.parse_args()
    uvloop.run(run(options.own, options.processes, options.api))
