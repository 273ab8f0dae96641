"""Reads MongoDB for the ingress: from the primary, with majority read concern, bounded in time."""

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import structlog
from pydantic import ValidationError
from pymongo import ReadPreference
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from ingress.ports import AppChange, RecordOutcome, Rejection, Totals, Unavailable
from ingress.refusals.mongo import MongoRefusals
from schemas.checkpoints import NEWER_LAYOUT, has_passed
from schemas.coordinates import Coordinates, PartitionId, parse_coordinates
from schemas.definitions import Definition, definition_of
from schemas.documents import (
    CHECKPOINTS,
    DEFINITIONS,
    EXCEPTIONS,
    LINEAGES,
    PLAYERS,
    REQUESTS,
    millis_of,
    request_key,
    utc,
)
from schemas.request_ids import EARLIER_LAYOUT, LOOKUP_FIELDS, StoredRequest, keep_newest, lookup
from schemas.settings import MongoSettings
from serving.mongodb.client import is_lost, why
from serving.mongodb.watch import MongoWatch
from serving.outage import Outage
from serving.seldom import Seldom

log = structlog.get_logger()

# A request waits for these reads at most so long. After that "not known" is the better answer.
READ_TIMEOUT_MILLIS = 2_000

# The character after "/": the ids from `r1/` up to `r10` are those that begin with `r1/`.
_AFTER_SLASH = "0"
# The fields of `exceptions` that a Rejection is made of.
_REJECTION_FIELDS = {"fate": 1, "cause": 1, "differing": 1, "at": 1}

_Document = dict[str, Any]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

_unreadable = Seldom()

# Numbers the stores of this process: each reports to the outage of MongoDB under its own name.
_NUMBERS = itertools.count()


class MongoStore:
    """Implements the stores of ingress/ports.py; AppliedStore in one causally consistent session."""

    def __init__(self, settings: MongoSettings, outage: Outage | None = None) -> None:
        self._watch = MongoWatch(outage or Outage("mongodb"), f"store {next(_NUMBERS)}")
        self._client = self._watch.connect(
            settings,
            "tallymill ingress",
            serverSelectionTimeoutMS=READ_TIMEOUT_MILLIS,
            connectTimeoutMS=READ_TIMEOUT_MILLIS,
            timeoutMS=READ_TIMEOUT_MILLIS,
        )
        self._database = self._client.get_database(
            settings.database, read_concern=ReadConcern("majority"), read_preference=ReadPreference.PRIMARY
        )
        self._session: AsyncClientSession | None = None

    @contextmanager
    def _call(self) -> Iterator[None]:
        """Raises Unavailable in place of pymongo's errors."""
        with self._watch.call():
            try:
                yield
            except PyMongoError as error:
                unavailable = Unavailable(f"MongoDB: {why(error)}")
                unavailable.lost = is_lost(error)
                raise unavailable from error

    async def close(self) -> None:
        await self._client.close()

    def refusal_store(self) -> MongoRefusals:
        """The store of refusals, over the same connections."""
        return MongoRefusals(self._database)

    async def checkpoints(self, lineages: Collection[str]) -> Mapping[PartitionId, int]:
        ranges = [_ids_below(lineage) for lineage in sorted(lineages)]
        documents = await self._read_in_session(CHECKPOINTS, {"$or": ranges}, {"next": 1}) if ranges else []
        return dict(_each(CHECKPOINTS, documents, lambda one: (_partition_id(one["_id"]), int(one["next"]))))

    async def totals(self, actors: Collection[str]) -> Mapping[str, Totals]:
        documents = await self._read_in_session(PLAYERS, {"_id": {"$in": sorted(actors)}}, {"totals": 1})
        return dict(_each(PLAYERS, documents, lambda one: (one["_id"], one["totals"])))

    async def rejections(self, coordinates: Collection[Coordinates]) -> Mapping[Coordinates, Rejection]:
        ids = [str(one) for one in coordinates]
        documents = await self._read_in_session(EXCEPTIONS, {"_id": {"$in": ids}}, _REJECTION_FIELDS)
        return dict(_each(EXCEPTIONS, documents, lambda one: (parse_coordinates(one["_id"]), _rejection(one))))

    async def outcome(self, coordinates: Coordinates, append_millis: int | None) -> RecordOutcome:
        with self._call():
            # One causally consistent session: what is read after the checkpoint is at least as new.
            async with self._client.start_session(causal_consistency=True) as session:
                return await self._outcome(coordinates, append_millis, session)

    async def _outcome(
        self, coordinates: Coordinates, append_millis: int | None, session: AsyncClientSession
    ) -> RecordOutcome:
        checkpoint = await self._database[CHECKPOINTS].find_one(
            {"_id": str(coordinates.partition_id)}, {"next": 1, "last": 1}, session=session
        )
        if checkpoint is not None and has_passed(checkpoint, coordinates.offset, append_millis):
            found = await self._database[EXCEPTIONS].find_one({"_id": str(coordinates)}, session=session)
            rejection = _rejection(found) if found else None
            if rejection is None or rejection.is_of(append_millis):
                return RecordOutcome(passed=True, rejection=rejection)
        return RecordOutcome(passed=False, may_still_pass=await self._is_newest(coordinates.lineage, session))

    async def _is_newest(self, lineage: str, session: AsyncClientSession) -> bool:
        """Whether it is the newest lineage of its topic."""
        lineages = self._database[LINEAGES]
        own = await lineages.find_one({"_id": lineage}, {"topic": 1}, session=session)
        if own is None:
            return False
        newest = await lineages.find_one({"topic": own["topic"]}, sort=[("generation", -1)], session=session)
        return newest is not None and bool(newest["_id"] == lineage)

    async def counted_at_millis(self, app: str, player: str, request_id: int) -> int | None:
        wanted, found = {request_key(app, player, request_id)}, dict[str, StoredRequest]()
        with self._call():
            async for document in self._database[REQUESTS].find(lookup(wanted), LOOKUP_FIELDS):
                keep_newest(found, document, wanted)
        return next((stored.time_millis for stored in found.values()), None)

    async def earlier_request(self) -> Mapping[str, Any] | None:
        with self._call():
            return await self._database[REQUESTS].find_one(EARLIER_LAYOUT, {"_id": 1})

    async def newer_lineage(self) -> Mapping[str, Any] | None:
        with self._call():
            return await self._database[LINEAGES].find_one(NEWER_LAYOUT, {"layout": 1})

    async def player_totals(self, actor: str) -> Totals:
        with self._call():
            found = await self._database[PLAYERS].find_one({"_id": actor}, {"totals": 1})
        return {} if found is None else found["totals"]

    async def hello(self) -> Mapping[str, Any]:
        """The primary's answer to `hello`: what kind of deployment this is, and its time. Raises Unavailable."""
        with self._call():
            return await self._client.admin.command("hello")

    async def definitions(self, app: str) -> Sequence[Definition]:
        return _definitions(await self._read(DEFINITIONS, _ids_below(app)))

    async def all_definitions(self, limit: int) -> Mapping[str, Sequence[Definition]]:
        documents = await self._read(DEFINITIONS, {}, limit)
        by_app: dict[str, list[Definition]] = {}
        for definition in _definitions(documents):
            by_app.setdefault(definition.app, []).append(definition)
        if len(documents) == limit:
            # More definitions of the last app may follow beyond the limit.
            by_app.pop(str(documents[-1]["_id"]).partition("/")[0], None)
        return by_app

    async def changed_apps(self, since_millis: int) -> Mapping[str, AppChange]:
        newest = {"_id": "$app", "newest": {"$max": "$updatedAt"}, "definitions": {"$sum": 1}}
        stages: list[_Document] = [{"$match": {"updatedAt": {"$gte": utc(since_millis)}}}, {"$group": newest}]
        with self._call():
            found = await (await self._database[DEFINITIONS].aggregate(stages)).to_list()
        return dict(_each(DEFINITIONS, found, lambda one: (str(one["_id"]), _change(one))))

    async def newest_lineage(self, topic: str) -> str | None:
        with self._call():
            newest = await self._database[LINEAGES].find_one({"topic": topic}, sort=[("generation", -1)])
        return None if newest is None else str(newest["_id"])

    async def _read(self, collection: str, query: Mapping[str, Any], limit: int = 0) -> list[_Document]:
        with self._call():
            return await self._database[collection].find(query, sort=[("_id", 1)], limit=limit).to_list()

    async def _read_in_session(self, name: str, query: Mapping[str, Any], fields: Mapping[str, int]) -> list[_Document]:
        collection: AsyncCollection[_Document] = self._database[name]
        try:
            with self._call():
                if self._session is None:
                    self._session = self._client.start_session(causal_consistency=True)
                return await collection.find(query, fields, session=self._session).to_list()
        except Unavailable:
            # A session that saw a failover may wait for an operation time that was rolled back. Begin a new one.
            self._session = None
            raise


def _each(
    collection: str, documents: Iterable[_Document], read: Callable[[_Document], tuple[_Key, _Value]]
) -> Iterator[tuple[_Key, _Value]]:
    """What the documents say. One that another program wrote wrongly is left out: it must not end every ingress."""
    for document in documents:
        try:
            yield read(document)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            if _unreadable.allows((collection, type(error))) is not None:
                why_not = f"field {error} is missing" if isinstance(error, LookupError) else str(error)
                named = str(document.get("_id"))
                log.error("document_not_readable", collection=collection, document=named, reason=why_not)  # noqa: TRY400 the reason says what is wrong; no traceback


def _change(document: _Document) -> AppChange:
    return AppChange(millis_of(document["newest"]), document["definitions"])


def _rejection(document: Mapping[str, Any]) -> Rejection:
    differing, at = tuple(document.get("differing", ())), document.get("at")
    return Rejection(document["fate"], document.get("cause", ""), differing, millis_of(at) if at else None)


def _ids_below(owner: str) -> _Document:
    return {"_id": {"$gte": f"{owner}/", "$lt": f"{owner}{_AFTER_SLASH}"}}


def _partition_id(text: str) -> PartitionId:
    lineage, _, partition = text.partition("/")
    return PartitionId(lineage, int(partition))


def _definitions(documents: list[_Document]) -> list[Definition]:
    """Those that can be read. One that another program wrote wrongly must not hide the others."""
    found = []
    for document in documents:
        try:
            found.append(definition_of(document))
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            log.error("definition_not_readable", definition=document["_id"], reason=wrong)  # noqa: TRY400 the reason says what is wrong; no traceback
    return found
