"""The refusals in MongoDB: one capped collection, written without waiting for a majority, because it is a sample.

This module never creates it: an insert would create it uncapped, and it would grow for ever.
"""

from collections.abc import Sequence
from typing import Any

from bson import ObjectId
from pymongo import WriteConcern
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from ingress.ports import FoundRefusal, RefusalQuery, SampledRefusal, Unavailable
from schemas.documents import REFUSALS, RefusalDocument, millis_of, utc
from serving.mongodb.client import why
from serving.mongodb.denied import note_denied

_Document = dict[str, Any]


class MongoRefusals:
    """Implements RefusalStore."""

    def __init__(self, database: AsyncDatabase[_Document]) -> None:
        self._database = database
        self._collection = database.get_collection(REFUSALS, write_concern=WriteConcern(w=1))

    async def add_refusals(self, refusals: Sequence[SampledRefusal]) -> None:
        try:
            if not await self._is_capped():
                raise Unavailable(f"collection {REFUSALS} is missing or not capped: run `tallymill init`")
            await self._collection.insert_many([dict(_document(one)) for one in refusals], ordered=False)
        except PyMongoError as error:
            raise Unavailable(f"MongoDB: {why(error)}") from error

    async def refusals(self, app: str, query: RefusalQuery) -> Sequence[FoundRefusal]:
        wanted: _Document = {"app": app}
        if query.cause is not None:
            wanted["cause"] = query.cause
        if query.player is not None:
            wanted["player"] = query.player
        if query.before is not None:
            wanted["_id"] = {"$lt": ObjectId(query.before)}
        try:
            # There is no index but `_id`'s: at worst the whole collection is scanned, which is 16 MiB.
            documents = await self._collection.find(wanted, sort=[("_id", -1)], limit=query.limit).to_list()
        except PyMongoError as error:
            note_denied(error)
            raise Unavailable(f"MongoDB: {why(error)}") from error
        return [_found(document) for document in documents]

    async def _is_capped(self) -> bool:
        async for found in await self._database.list_collections(filter={"name": REFUSALS}):
            return bool(found.get("options", {}).get("capped"))
        return False


def _document(refusal: SampledRefusal) -> RefusalDocument:
    return {
        "app": refusal.app,
        "player": refusal.player,
        "cause": refusal.cause,
        "field": refusal.field,
        "firstBytes": refusal.first_bytes,
        "requestId": refusal.request_id,
        "at": utc(refusal.at_millis),
    }


def _found(document: _Document) -> FoundRefusal:
    refusal = SampledRefusal(
        app=document["app"],
        player=document["player"],
        cause=document["cause"],
        field=document["field"],
        first_bytes=document["firstBytes"],
        request_id=document["requestId"],
        at_millis=millis_of(document["at"]),
    )
    return FoundRefusal(str(document["_id"]), refusal)
