"""The store in MongoDB. Reads have read concern majority and a time limit.

Events are read as raw BSON: otherwise pymongo would turn a client's `{"$ref", "$id"}` into a reference (DBRef), and the
reply would not have what was sent.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo import ReadPreference
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.command_cursor import AsyncCommandCursor
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern

from console.config import ConsoleSettings
from console.lookups.mongo import MongoLookups
from console.mongo_errors import translated
from console.ports import Unavailable
from console.queries.counts import Part
from console.queries.counts_query import Moment
from console.queries.events import Key, KeysWanted, Stored
from schemas.documents import EVENTS, PERIOD_COUNTS, actor_of, millis_of, owned_by, utc
from schemas.settings import MongoSettings
from serving.mongodb.client import new_client

_Document = dict[str, Any]

CONNECT_MILLIS = 2_000
# Beyond the time limit of a query, for the network.
SOCKET_MARGIN_MILLIS = 2_000
# Documents decoded at a time, so that they don't block the event loop for long.
BATCH_DOCUMENTS = 2_000

_PREFERENCES = {"primary": ReadPreference.PRIMARY, "secondaryPreferred": ReadPreference.SECONDARY_PREFERRED}
_NEWEST_FIRST = [("receivedAt", -1), ("_id", -1)]


class MongoStore:
    """Implements Store."""

    def __init__(self, mongodb: MongoSettings, settings: ConsoleSettings) -> None:
        self._timeout_millis = int(settings.query_timeout_seconds * 1000)
        self._client = new_client(
            mongodb,
            "tallymill console",
            maxPoolSize=settings.max_concurrent_queries + 1,
            serverSelectionTimeoutMS=CONNECT_MILLIS,
            connectTimeoutMS=CONNECT_MILLIS,
            socketTimeoutMS=self._timeout_millis + SOCKET_MARGIN_MILLIS,
        )
        database = self._client.get_database(
            mongodb.database,
            read_concern=ReadConcern("majority"),
            read_preference=_PREFERENCES[settings.read_preference],
        )
        self._database = database
        self.lookups = MongoLookups(database, self._timeout_millis)
        self._events: AsyncCollection[_Document] = database[EVENTS]
        raw: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument, tz_aware=True)
        self._raw_events = database.with_options(codec_options=raw)[EVENTS]

    async def close(self) -> None:
        await self._client.close()

    async def now(self) -> Moment:
        """What the server that is read from has applied. A majority has it within milliseconds."""
        with translated():
            async with self._client.start_session() as session:
                await self._command(self._client.admin, {"ping": 1}, session)
                reached = session.operation_time
        if reached is None:
            raise Unavailable("MongoDB returned no operationTime: it is not a replica set or a sharded cluster")
        return Moment(reached.time, reached.inc)

    async def period_counts(self, part: Part, moment: Moment | None) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        with translated():
            async with await self._counts_found(part, moment) as found:
                while documents := await found.to_list(BATCH_DOCUMENTS):
                    yield documents

    async def _counts_found(self, part: Part, moment: Moment | None) -> AsyncCommandCursor[_Document]:
        """A raw command, because pymongo's snapshot sessions cannot read at a moment that is given."""
        at = {} if moment is None else {"atClusterTime": Timestamp(*moment)}
        return await self._database.cursor_command(
            "find",
            PERIOD_COUNTS,
            read_preference=self._database.read_preference,
            codec_options=self._database.codec_options,
            filter=counts_filter(part),
            projection=counts_fields(part),
            batchSize=BATCH_DOCUMENTS,
            maxTimeMS=self._timeout_millis,
            readConcern={"level": "snapshot" if at else "majority", **at},
        )

    async def event_keys(self, wanted: KeysWanted) -> Sequence[Key]:
        with translated():
            found = await self._events.aggregate(keys_pipeline(wanted), maxTimeMS=self._timeout_millis)
            return [Key(millis_of(one["receivedAt"]), one["_id"]) async for one in found]

    async def events(self, ids: Sequence[str]) -> Mapping[str, Stored]:
        with translated():
            found = self._raw_events.find({"_id": {"$in": list(ids)}}, max_time_ms=self._timeout_millis)
            return {one["_id"]: Stored(one, len(one.raw)) async for one in found}

    async def ping(self) -> None:
        """By a command that needs no right, but a user: MongoDB answers `ping` to everyone, and queries it does not."""
        with translated():
            await self._command(self._database, {"listCollections": 1, "nameOnly": True, "authorizedCollections": True})

    async def _command(
        self, database: AsyncDatabase[_Document], command: _Document, session: AsyncClientSession | None = None
    ) -> None:
        preference = self._database.read_preference
        limited = {**command, "maxTimeMS": self._timeout_millis}
        await database.command(limited, read_preference=preference, session=session)


def counts_filter(part: Part) -> _Document:
    """One range of the `_id` index for each hour, so that the query reads only this app's keys."""
    ids = {"$or": [{"_id": {"$gte": low, "$lt": high}} for low, high in part.ids]}
    return ids if part.event is None else {**ids, "event": part.event}


def counts_fields(part: Part) -> _Document:
    """`minutes` only of cut hours, because it is several times as large as all other fields."""
    minutes = {"$cond": [{"$in": ["$hour", list(part.cut)]}, "$minutes", "$$REMOVE"]}
    return {"_id": 0, "hour": 1, "event": 1, "count": 1, "minutes": minutes}


def keys_pipeline(wanted: KeysWanted) -> list[_Document]:
    """A query by actor uses the index on `_id`, one by time that on receivedAt. Sorts in memory hold only keys."""
    order = _NEWEST_FIRST if wanted.exact else _NEWEST_FIRST[:1]
    keys = {"$project": {"receivedAt": 1}}
    sort: list[_Document] = [{"$sort": dict(order)}, {"$limit": wanted.limit}]
    match = {"$match": keys_filter(wanted)}
    # Not exact: the index has the order of the sort, so the limit ends the scan.
    return [match, keys, *sort] if wanted.exact else [match, *sort, keys]


def keys_filter(wanted: KeysWanted) -> _Document:
    found: _Document = {"app": wanted.app}
    if wanted.player is not None:
        found = owned_by(actor_of(wanted.app, wanted.player))
    if wanted.event is not None:
        found["event"] = wanted.event
    edges = {"$gte": wanted.from_millis, "$lt": wanted.to_millis}
    received = {name: utc(millis) for name, millis in edges.items() if millis is not None}
    if received:
        found["receivedAt"] = received
    if wanted.before is not None:
        at = utc(wanted.before.received_millis)
        found["$or"] = [{"receivedAt": {"$lt": at}}, {"receivedAt": at, "_id": {"$lt": wanted.before.id}}]
    return found
