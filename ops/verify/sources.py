"""What a recount reads: one snapshot of MongoDB's totals, the fates of records, and the log."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern

from consumer.fetching.batch import DAMAGED_OFFSET
from consumer.fetching.record import largest_value_bytes, most_unpacked_bytes, record_of
from consumer.fetching.room import ROOM, UNPACK_BYTES, Room
from ops.connect import NotReachable
from ops.verify.reading import LogRecord
from ops.verify.report import MINUTE_MILLIS, Difference, MinuteKey
from schemas.definitions import Definition, definition_of
from schemas.documents import (
    CHECKPOINTS,
    DEFINITIONS,
    EVENTS,
    EXCEPTIONS,
    LINEAGES,
    PERIOD_COUNTS,
    PLAYERS,
    REQUESTS,
    TITLES,
    millis_of,
    utc,
)
from schemas.request_ids import LOOKUP_FIELDS, lookup, unpacked
from schemas.settings import Api, LimitSettings

Document = dict[str, Any]
Database = AsyncDatabase[Document]

_EVENT_FIELDS = {"from": 1, "event": 1, "at": 1, "receivedAt": 1}

BATCH_RECORDS = 1_000
ROOM_BYTES = 16 * 1024 * 1024
POLL_MILLIS = 500
# An available broker answers at once. One that returns nothing for so long has lost the records.
SILENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Snapshot:
    """MongoDB at one point in time."""

    lineages: list[Document]
    checkpoints: dict[str, Document]
    players: Counter[tuple[str, str]]
    minutes: dict[str, Counter[MinuteKey]]
    """Counts by source, which is the API: games, analytics."""
    titles: list[Document]
    wrong_hours: list[Difference]
    """Hours whose count is not the sum of its minutes."""


async def snapshot_of(db: Database) -> Snapshot:
    """Everything in one snapshot session. Raises PyMongoError."""
    players: Counter[tuple[str, str]] = Counter()
    minutes: defaultdict[str, Counter[MinuteKey]] = defaultdict(Counter)
    wrong_hours = []
    async with db.client.start_session(snapshot=True) as session:
        checkpoints = {one["_id"]: one async for one in db[CHECKPOINTS].find(session=session)}
        lineages = [one async for one in db[LINEAGES].find(session=session)]
        async for player in db[PLAYERS].find({}, {"totals": 1}, session=session):
            for event, count in player["totals"].items():
                players[player["_id"], event] = count
        async for hour in db[PERIOD_COUNTS].find(session=session):
            minutes[hour["source"]].update(minutes_of(hour))
            if hour["count"] != (total := sum(hour["minutes"].values())):
                wrong_hours.append(Difference("period_counts", f"{hour['_id']}, count", str(total), str(hour["count"])))
        titles = [one async for one in db[TITLES].find(session=session)]
    return Snapshot(lineages, checkpoints, players, minutes, titles, wrong_hours)


def minutes_of(hour: Document) -> dict[MinuteKey, int]:
    """One document of period_counts, by minute."""
    _, lineage, partition = hour["_id"].rsplit("/", 2)
    first = millis_of(hour["hour"]) // MINUTE_MILLIS
    key = (f"{lineage}/{partition}", hour["app"], hour["event"])
    return {(*key, first + int(minute)): count for minute, count in hour["minutes"].items()}


async def definitions_of(db: Database) -> dict[str, list[Definition]]:
    """All definitions, by app."""
    by_app: dict[str, list[Definition]] = {}
    async for document in db[DEFINITIONS].find():
        by_app.setdefault(document["app"], []).append(definition_of(document))
    return by_app


async def fates_of(db: Database, partition: str, offsets: Sequence[int]) -> dict[int, str]:
    """The fates of records that were not applied, by offset. Each is written once, with its checkpoint."""
    ids = [f"{partition}/{offset}" for offset in offsets]
    found = _majority(db, EXCEPTIONS).find({"_id": {"$in": ids}}, {"fate": 1})
    return {int(one["_id"].rpartition("/")[2]): one["fate"] async for one in found}


async def requests_of(db: Database, keys: Iterable[str]) -> dict[str, Document]:
    """`from` and `at` of each of these ids that is stored. Of one that has counted twice, of the later record."""
    wanted = frozenset(keys)
    found: dict[str, Document] = {}
    async for document in _majority(db, REQUESTS).find(lookup(wanted), LOOKUP_FIELDS):
        partition = document["_id"].rpartition("/")[0]
        for key, stored in unpacked(document, wanted):
            at = utc(stored.time_millis)
            if key not in found or found[key]["at"] < at:
                found[key] = {"from": f"{partition}/{stored.offset}", "at": at}
    return found


async def events_since(db: Database, received_millis: int | None) -> AsyncIterator[Document]:
    """All documents of `events`, or those received since."""
    query: Document = {} if received_millis is None else {"receivedAt": {"$gte": utc(received_millis)}}
    async for document in _majority(db, EVENTS).find(query, _EVENT_FIELDS):
        yield document


async def events_of(db: Database, keys: Sequence[str]) -> list[Document]:
    """The documents of these items."""
    return [one async for one in _majority(db, EVENTS).find({"_id": {"$in": list(keys)}}, _EVENT_FIELDS)]


async def checkpoints_now(db: Database) -> dict[str, int]:
    """The next offset of each partition, read again."""
    return {one["_id"]: one["next"] async for one in _majority(db, CHECKPOINTS).find({}, {"next": 1})}


def _majority(db: Database, collection: str) -> Any:  # noqa: ANN401 pymongo's collection
    return db.get_collection(collection, read_concern=ReadConcern("majority"))


@dataclass(frozen=True, slots=True)
class Sizes:
    """The largest record and batch: the same limits as in the worker that applied them."""

    largest_bytes: int
    unpack_limit: int


def sizes_of(limits: LimitSettings, api: Api | None) -> Sizes:
    return Sizes(largest_value_bytes(limits, api), max(UNPACK_BYTES, most_unpacked_bytes(limits)))


async def records_of(
    consumer: AIOKafkaConsumer, topic: str, partition: int, first: int, end: int, sizes: Sizes
) -> AsyncIterator[list[LogRecord]]:
    """Committed records with offsets from `first` to below `end`, in batches. Raises NotReachable, KafkaError.

    What can't be decoded is among them, with its fault, as the worker has it.
    The consumer must be a new one: aiokafka's was seen to stall after a second assign().
    """
    ours = TopicPartition(topic, partition)
    consumer.assign([ours])
    consumer.seek(ours, first)
    position, heard = first, time.monotonic()
    while position < end:
        ROOM.set(Room(ROOM_BYTES, sizes.unpack_limit))
        fetched = await consumer.getmany(ours, timeout_ms=POLL_MILLIS, max_records=BATCH_RECORDS)
        records: list[ConsumerRecord] = fetched.get(ours, [])
        if records and records[-1].offset >= DAMAGED_OFFSET:
            raise NotReachable(f"{topic}, partition {partition}: {records[-1].checksum.reason}")
        if records:
            yield [LogRecord(*record_of(one, sizes.largest_bytes)) for one in records if one.offset < end]
        reached = (
            records[-1].offset + 1 if records else await asyncio.wait_for(consumer.position(ours), SILENCE_SECONDS)
        )
        if reached > position:
            position, heard = reached, time.monotonic()
        elif time.monotonic() - heard > SILENCE_SECONDS:
            raise NotReachable(f"Kafka returned no record of {topic}, partition {partition}, from offset {position} on")
