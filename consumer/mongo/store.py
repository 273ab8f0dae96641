"""MongoDB as the worker's store.

A flush is one transaction in five steps. A crash at a step leaves:

    1. read         what the plan must know; opens the snapshot            nothing
    2. plan         pure                                                   nothing
    3. checkpoint   compare-and-set from the plan's start to its end       an open transaction, which the server aborts
    4. write        the documents of the plan                              the same
    5. commit       all of it, or nothing                                  either; step 3 of the next owner finds out

The checkpoint alone decides: the owner that moves it has applied those records, and no other owner has.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext

from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from consumer.core.gap import Gap
from consumer.core.plan import CheckpointMove, WritePlan
from consumer.core.position import Checkpoint
from consumer.core.reads import (
    Definitions,
    Known,
    KnownItem,
    KnownTitles,
    Reads,
    SeenRequest,
    TitleReads,
    checked_title,
    split_titles,
)
from consumer.core.reasons import bug_reason
from consumer.mongo.claims import claim, release
from consumer.mongo.errors import HANDLED, outage_or_too_large, translated, unavailable
from consumer.mongo.sessions import Sessions
from consumer.mongo.stored import checkpoint_of, read_all
from consumer.mongo.transactions import COMMIT_MILLIS, DURABLE, Document, in_transaction, uncancelled
from consumer.mongo.upserts import upsert
from consumer.mongo.writes import Upserts, Writes, are_encodable, checkpoint_move, gap_move, writes_of
from consumer.ports import OURS, FlushTooLarge, Moved, Plan, RecordRefused, TopicIdentity, Unavailable, UnknownLineage
from consumer.record_faults import records_fault
from schemas.checkpoints import LAYOUT
from schemas.coordinates import PartitionId
from schemas.definitions import Definition, definition_of
from schemas.documents import CHECKPOINTS, DEFINITIONS, EVENTS, LINEAGES, REQUESTS, TITLES, millis_of
from schemas.request_ids import LOOKUP_FIELDS, StoredRequest, keep_newest, lookup
from schemas.requirements import wrong_layout
from serving.mongodb.watch import MongoWatch

# The server aborts a transaction after transactionLifetimeLimitSeconds (docs/deployment.md: 15 s). It answers 251 then,
# as after any conflict, so the same flush would be retried for ever. A flush whose try took longer is halved.
LONG_TRY_SECONDS = 10.0

# Batches, or items of pools, that take some 20 us each to plan. More would delay heartbeats, so a thread plans them.
INLINE_WEIGHT = 2_500

# Larger flushes are applied one at a time: three of the largest pools at once would fill a server cache of 256 MB.
LARGE_FLUSH_BYTES = 8 * 1024 * 1024

OnStep = Callable[[str, float], None]
"""Called with the name of each step and its seconds."""


class MongoStore:
    """A Store over one database."""

    def __init__(
        self, client: AsyncMongoClient[Document], database: str, on_step: OnStep, watch: MongoWatch | None = None
    ) -> None:
        self._call = watch.call if watch else nullcontext
        self._sessions = Sessions(client)
        self._database = client.get_database(database, write_concern=DURABLE)
        self._on_step = on_step
        self._large = asyncio.Semaphore(1)

    async def lineage(self, topic: TopicIdentity) -> str:
        with self._call():
            return await uncancelled(self._lineage(topic))

    async def _lineage(self, topic: TopicIdentity) -> str:
        collection = self._database.get_collection(LINEAGES, read_concern=ReadConcern("majority"))
        try:
            newest = await collection.find_one({"topic": topic.topic}, sort=[("generation", -1)])
        except PyMongoError as error:
            raise unavailable(error) from error
        return known_lineage(topic, newest)

    async def claim(self, partition: PartitionId, owner: str) -> Checkpoint:
        with self._call():
            return await uncancelled(claim(self._database, self._sessions, partition, owner))

    async def release(self, partition: PartitionId) -> None:
        await uncancelled(release(self._database, self._sessions, partition))

    async def note_stopped(self, partition: PartitionId, reason: str) -> None:
        with self._call():
            await uncancelled(self._note_stopped(partition, reason))

    async def _note_stopped(self, partition: PartitionId, reason: str) -> None:
        try:
            await self._database[CHECKPOINTS].update_one({"_id": str(partition)}, {"$set": {"stopped": reason}})
        except PyMongoError as error:
            raise unavailable(error) from error

    async def apply(self, reads: Reads, plan: Plan) -> WritePlan:
        with self._call():
            return await uncancelled(self._apply(reads, plan))

    async def _apply(self, reads: Reads, plan: Plan) -> WritePlan:
        began = time.monotonic()
        tried_at: float | None = None
        commit_from = time.perf_counter()

        async def body(session: AsyncClientSession) -> WritePlan:
            nonlocal commit_from, tried_at
            _raise_if_long(reads.size.records, tried_at)
            tried_at = time.monotonic()
            await self._sessions.kill_predecessor(reads.partition, began)
            transaction = _Transaction(self._database.get_collection, session, self._on_step)
            written = await transaction.run(reads, plan)
            commit_from = time.perf_counter()
            return written

        try:
            with self._sessions.used(reads.partition) as session:
                async with self._large if reads.size.stored_bytes > LARGE_FLUSH_BYTES else nullcontext():
                    written = await in_transaction(session, body, COMMIT_MILLIS)
        except HANDLED as error:
            raise outage_or_too_large(error) from error
        except OURS:
            raise
        except Exception as error:
            # A bug of the client, for example. No record is at fault, so none may be set aside, and no process ends.
            raise Unavailable(bug_reason("applying", error)) from error
        self._on_step("commit", time.perf_counter() - commit_from)
        return written

    async def pass_over(self, gap: Gap) -> None:
        with self._call():
            await uncancelled(self._pass_over(gap))

    async def _pass_over(self, gap: Gap) -> None:
        """One update of one document, with the same compare-and-set. It needs no transaction."""
        checkpoints = self._database.get_collection(CHECKPOINTS, read_concern=ReadConcern("majority"))
        key = str(gap.partition)
        try:
            moved = await checkpoints.update_one({"_id": key, "next": gap.start}, gap_move(gap))
            found = None if moved.matched_count else await checkpoints.find_one({"_id": key})
        except PyMongoError as error:
            raise unavailable(error) from error
        if not moved.matched_count:
            raise Moved(checkpoint_of(gap.partition, found))


class _Transaction:
    """Steps 1 to 4 of one try of a flush."""

    def __init__(
        self,
        collection: Callable[[str], AsyncCollection[Document]],
        session: AsyncClientSession,
        on_step: OnStep,
    ) -> None:
        self._collection = collection
        self._session = session
        self._on_step = on_step
        self._since = time.perf_counter()

    async def run(self, reads: Reads, plan: Plan) -> WritePlan:
        known = await self._read(reads)
        self._step_done("read")
        if reads.size.weight > INLINE_WEIGHT:
            planned, writes = await asyncio.to_thread(_planned, plan, known)
        else:
            planned, writes = _planned(plan, known)
        self._step_done("plan")
        await self._move_checkpoint(planned.checkpoint)
        self._step_done("checkpoint")
        await self._write(writes)
        self._step_done("write")
        return planned

    async def _read(self, reads: Reads) -> Known:
        """Step 1. Mostly nothing is found, so this reads indexes and little else.

        What needn't be known is not read, but for the first query: it opens the snapshot.
        """
        events: dict[str, KnownItem] = {}
        titles = KnownTitles()
        if reads.events:
            stored = self._found(EVENTS, reads.events, {"receivedAt": 1, "digest": 1})
            events = dict(await read_all(EVENTS, stored, _known_item))
            titles = await self._titles(reads.titles)
        requests: dict[str, SeenRequest] = {}
        if reads.requests or not reads.events:
            requests = await self._requests(reads.requests)
        definitions = await self._definitions(reads.apps) if reads.apps else {}
        return Known(requests, definitions, events, titles)

    async def _requests(self, keys: Sequence[str]) -> dict[str, SeenRequest]:
        """One document after the other: many old duplicates name many documents, of some 30 KB each."""
        wanted, stored = frozenset(keys), dict[str, StoredRequest]()
        found = self._collection(REQUESTS).find(lookup(keys), LOOKUP_FIELDS, session=self._session)
        await read_all(REQUESTS, found, lambda document: keep_newest(stored, document, wanted))
        return {key: SeenRequest(one.time_millis, one.crc) for key, one in stored.items()}

    async def _titles(self, reads: TitleReads) -> KnownTitles:
        documents, shares = split_titles(await read_all(TITLES, self._found(TITLES, reads.keys, None), checked_title))
        actors = sorted(reads.actors(documents))
        by_actor: Counter[str] = Counter()
        if actors:
            query: Document = {"by": {"$in": actors}, "freed": {"$exists": False}}
            found = self._collection(TITLES).find(query, {"by": 1, "_id": 0}, session=self._session)
            by_actor.update([one["by"] async for one in found])
        return KnownTitles(documents, shares, by_actor)

    def _found(self, collection: str, keys: Sequence[str], fields: Document | None) -> AsyncCursor[Document]:
        return self._collection(collection).find(
            {"_id": {"$in": list(keys)}}, fields, session=self._session, batch_size=len(keys) + 1
        )

    async def _definitions(self, apps: Sequence[str]) -> Definitions:
        by_app: dict[str, list[Definition]] = {app: [] for app in apps}
        found = self._collection(DEFINITIONS).find({"app": {"$in": list(apps)}}, session=self._session)
        for definition in await read_all(DEFINITIONS, found, definition_of):
            by_app[definition.app].append(definition)
        return by_app

    async def _move_checkpoint(self, move: CheckpointMove) -> None:
        """Step 3. This compare-and-set keeps two owners from counting a record twice."""
        checkpoints = self._collection(CHECKPOINTS)
        key = str(move.partition)
        moved = await checkpoints.update_one(
            {"_id": key, "next": move.start}, checkpoint_move(move), session=self._session
        )
        if moved.matched_count == 0:
            found = await checkpoints.find_one({"_id": key}, session=self._session)
            raise Moved(checkpoint_of(move.partition, found))

    async def _write(self, writes: Mapping[str, Writes]) -> None:
        """Step 4. Each collection's writes name each document once, so their order doesn't matter."""
        for collection, operations in writes.items():
            if operations:
                await self._send(self._collection(collection), operations)

    async def _send(self, collection: AsyncCollection[Document], operations: Writes) -> None:
        try:
            if isinstance(operations, Upserts):
                await upsert(collection, operations, self._session)
            else:
                await collection.bulk_write(operations, ordered=False, session=self._session)
        except HANDLED as error:
            # Only a document can be a record's fault. Other errors go to with_transaction, which may retry.
            found = translated(error)
            if isinstance(found, RecordRefused):
                raise found from error
            raise
        except Exception as error:
            # An unexpected error. It is a record's fault only if BSON can't encode an operation.
            if are_encodable(operations):
                raise
            raise RecordRefused(bug_reason("encoding", error), bug=True) from error

    def _step_done(self, step: str) -> None:
        now = time.perf_counter()
        self._on_step(step, now - self._since)
        self._since = now


def _known_item(event: Document) -> tuple[str, KnownItem]:
    return event["_id"], KnownItem(millis_of(event["receivedAt"]), event.get("digest"))


def _planned(plan: Plan, known: Known) -> tuple[WritePlan, Mapping[str, Writes]]:
    """Step 2. A large flush runs it in a thread, so that the event loop sends heartbeats in time."""
    with records_fault("planning"):
        planned = plan(known)
        return planned, writes_of(planned)


def _raise_if_long(records: int, tried_at: float | None) -> None:
    """Halve a flush whose last try took too long. A single record is retried: it can't be halved, and may succeed."""
    if tried_at and records > 1 and time.monotonic() - tried_at > LONG_TRY_SECONDS:
        raise FlushTooLarge(f"a try of {records} records took more than {LONG_TRY_SECONDS:g} s, and failed")


def known_lineage(topic: TopicIdentity, newest: Document | None) -> str:
    """The id of the newest lineage of this topic's name, if it is of this very topic. Raises UnknownLineage."""
    if newest is None:
        raise UnknownLineage(f"topic {topic.topic} has no lineage in MongoDB: run `tallymill init` first")
    layout, cluster, topic_id = newest.get("layout", LAYOUT), newest.get("cluster"), newest.get("topicId")
    if problems := wrong_layout(None if isinstance(layout, int | float) and layout <= LAYOUT else newest):
        raise UnknownLineage(problems[0])
    if (cluster, topic_id) != (topic.cluster, topic.topic_id):
        raise UnknownLineage(
            f"topic {topic.topic} is not the topic that lineage {newest['_id']} was started with: it was deleted and "
            f"created again, or Kafka is another cluster (topic id {topic.topic_id}, was {topic_id}; cluster "
            f"{topic.cluster}, was {cluster}). Its offsets mean other records, so nothing is read."
        )
    return str(newest["_id"])
