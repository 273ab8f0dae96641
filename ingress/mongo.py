"""MongoDB as the ingress reads it: majority, primary, bounded in time. pymongo is named only here."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import AsyncMongoClient, ReadPreference
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from ingress.ports import DefinitionTerm, Misfortune, Totals, Unavailable
from schemas.coordinates import Coordinates, PartitionId, parse_coordinates
from schemas.documents import CHECKPOINTS, DEFINITIONS, EXCEPTIONS, LINEAGES, PLAYERS
from schemas.settings import MongoSettings

# A request waits for these reads at most as long as for its totals; beyond it "not known" is the better answer.
READ_TIMEOUT_MILLIS = 2_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# The character after "/": `r1/` <= _id < `r10` are the ids that begin with `r1/`.
_AFTER_SLASH = "0"

_Document = dict[str, Any]


class MongoStore:
    """Implements AppliedStore (in one causally consistent session), DefinitionStore and LineageStore."""

    def __init__(self, settings: MongoSettings) -> None:
        if settings.uri is None:
            raise ValueError("mongodb.uri: required")
        self._client: AsyncMongoClient[_Document] = AsyncMongoClient(
            settings.uri.get_secret_value(),
            tz_aware=True,
            appname="tallymill ingress",
            serverSelectionTimeoutMS=READ_TIMEOUT_MILLIS,
            connectTimeoutMS=READ_TIMEOUT_MILLIS,
            timeoutMS=READ_TIMEOUT_MILLIS,
        )
        self._database = self._client.get_database(
            settings.database, read_concern=ReadConcern("majority"), read_preference=ReadPreference.PRIMARY
        )
        self._session: AsyncClientSession | None = None

    async def close(self) -> None:
        await self._client.close()

    async def checkpoints(self, lineages: Collection[str]) -> Mapping[PartitionId, int]:
        ranges = [_ids_below(lineage) for lineage in sorted(lineages)]
        documents = await self._read_in_session(CHECKPOINTS, {"$or": ranges}, {"next": 1}) if ranges else []
        return {_partition_id(document["_id"]): document["next"] for document in documents}

    async def totals(self, actors: Collection[str]) -> Mapping[str, Totals]:
        documents = await self._read_in_session(PLAYERS, {"_id": {"$in": sorted(actors)}}, {"totals": 1})
        return {document["_id"]: document["totals"] for document in documents}

    async def misfortunes(self, coordinates: Collection[Coordinates]) -> Mapping[Coordinates, Misfortune]:
        ids = [str(one) for one in coordinates]
        documents = await self._read_in_session(EXCEPTIONS, {"_id": {"$in": ids}}, {"fate": 1, "cause": 1})
        return {parse_coordinates(d["_id"]): Misfortune(d["fate"], d.get("cause", "")) for d in documents}

    async def definitions(self, app: str) -> Sequence[DefinitionTerm]:
        return [_term(document) for document in await self._read(DEFINITIONS, _ids_below(app), _TERM_FIELDS)]

    async def all_definitions(self, limit: int) -> Mapping[str, Sequence[DefinitionTerm]]:
        by_app: dict[str, list[DefinitionTerm]] = {}
        documents = await self._read(DEFINITIONS, {}, _TERM_FIELDS, limit)
        for document in documents:
            by_app.setdefault(document["_id"].partition("/")[0], []).append(_term(document))
        if len(documents) == limit:
            by_app.popitem()  # its definitions may go on beyond the limit
        return by_app

    async def newest_lineage(self, topic: str) -> str | None:
        try:
            newest = await self._database[LINEAGES].find_one({"topic": topic}, sort=[("generation", -1)])
        except PyMongoError as error:
            raise Unavailable(_reason(error)) from error
        return None if newest is None else str(newest["_id"])

    async def _read(
        self, collection: str, query: Mapping[str, Any], fields: Mapping[str, int], limit: int = 0
    ) -> list[_Document]:
        try:
            return await self._database[collection].find(query, fields, sort=[("_id", 1)], limit=limit).to_list()
        except PyMongoError as error:
            raise Unavailable(_reason(error)) from error

    async def _read_in_session(self, name: str, query: Mapping[str, Any], fields: Mapping[str, int]) -> list[_Document]:
        collection: AsyncCollection[_Document] = self._database[name]
        try:
            if self._session is None:
                self._session = self._client.start_session(causal_consistency=True)
            return await collection.find(query, fields, session=self._session).to_list()
        except PyMongoError as error:
            # A session that saw a failover may wait for a time that was rolled back: begin anew.
            self._session = None
            raise Unavailable(_reason(error)) from error


_TERM_FIELDS = {"definitionId": 1, "declaredAt": 1, "retiredAt": 1}


def _ids_below(owner: str) -> _Document:
    return {"_id": {"$gte": f"{owner}/", "$lt": f"{owner}{_AFTER_SLASH}"}}


def _partition_id(text: str) -> PartitionId:
    lineage, _, partition = text.partition("/")
    return PartitionId(lineage, int(partition))


def _term(document: _Document) -> DefinitionTerm:
    retired = document.get("retiredAt")
    return DefinitionTerm(
        definition_id=document["_id"].partition("/")[2],
        from_millis=_millis(document["declaredAt"]),
        to_millis=None if retired is None else _millis(retired),
    )


def _millis(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND


def _reason(error: PyMongoError) -> str:
    """The first line is enough: a topology description is a page."""
    return f"{type(error).__name__}: {str(error).partition(', Timeout:')[0][:300]}"
