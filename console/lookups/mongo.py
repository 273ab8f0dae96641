"""The look-ups in MongoDB. Each read has a time limit. None but the sample of refusals and dead letters is a scan."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo.asynchronous.database import AsyncDatabase

from console.mongo_errors import translated
from console.queries.finds import PlaceFound, PlayerFound
from console.queries.lists import AppFound, ListQuery, is_of_app
from schemas.coordinates import Coordinates
from schemas.documents import (
    CHECKPOINTS,
    DEAD_LETTERS,
    DEFINITIONS,
    EVENTS,
    EXCEPTIONS,
    LINEAGES,
    PLAYERS,
    REFUSALS,
    REQUESTS,
    TITLES,
    actor_of,
    ids_below,
    owned_by,
    utc,
)
from schemas.request_ids import LOOKUP_FIELDS, lookup

_Document = dict[str, Any]


class MongoLookups:
    """Implements Lookups."""

    def __init__(self, database: AsyncDatabase[_Document], timeout_millis: int) -> None:
        self._database = database
        self._timeout_millis = timeout_millis

    async def apps(self, after: str | None, limit: int) -> Sequence[AppFound]:
        found: list[AppFound] = []
        name = await self._app_after(after)
        while name is not None and len(found) < limit:
            found.append(await self.app(name))
            name = await self._app_after(name)
        return found

    async def _app_after(self, app: str | None) -> str | None:
        """The next app: one key of each `_id` index, however many documents an app has."""
        low = "" if app is None else ids_below(app)[1]
        names = []
        for collection in (DEFINITIONS, PLAYERS, TITLES):
            # `titles` has documents of the name of an app alone.
            wanted = {"_id": {"$gte": low, "$regex": "/"}}
            one = await self._one(collection, wanted, {"_id": 1}, sort=[("_id", 1)])
            names += [one["_id"].partition("/")[0]] if one else []
        return min(names, key=lambda name: f"{name}/", default=None)

    async def app(self, name: str) -> AppFound:
        of_app = owned_by(name)
        with translated():
            in_force = await self._database[DEFINITIONS].count_documents(
                {**of_app, "retiredAt": None}, maxTimeMS=self._timeout_millis
            )
        games, analytics = [await self._one(one, of_app, {"_id": 1}) for one in (PLAYERS, TITLES)]
        return AppFound(name, in_force, games is not None, analytics is not None)

    async def definitions(self, app: str, after: str | None, limit: int) -> Sequence[Mapping[str, Any]]:
        low, high = ids_below(app)
        above = {"$gte": low} if after is None else {"$gt": after, "$gte": low}
        return await self._find(DEFINITIONS, {"_id": {**above, "$lt": high}}, limit=limit)

    async def refusals(self, query: ListQuery) -> Sequence[Mapping[str, Any]]:
        wanted = refusals_filter(query)
        if query.after:
            wanted["_id"] = {"$lt": ObjectId(query.after[0])}
        return await self._find(REFUSALS, wanted, sort=[("_id", -1)], limit=query.limit + 1)

    async def refusal_causes(self, query: ListQuery) -> Mapping[str, int]:
        stages: list[_Document] = [
            {"$match": refusals_filter(query)},
            {"$group": {"_id": "$cause", "samples": {"$sum": 1}}},
        ]
        with translated():
            found = await self._database[REFUSALS].aggregate(stages, maxTimeMS=self._timeout_millis)
            return {one["_id"]: one["samples"] async for one in found}

    async def dead_letters(self, query: ListQuery) -> Sequence[Mapping[str, Any]]:
        """Their apps are in the keys, which MongoDB compares by length first, so this code selects them."""
        found: list[_Document] = []
        with translated():
            letters = await self._database[DEAD_LETTERS].aggregate(
                dead_letters_pipeline(query), maxTimeMS=self._timeout_millis
            )
            async for one in letters:
                if is_of_app(one, query.app):
                    found.append(one)
                if len(found) > query.limit:
                    break
            await letters.close()
        return found

    async def topics(self) -> Mapping[str, str]:
        return {one["_id"]: one["topic"] for one in await self._find(LINEAGES, {}, fields={"topic": 1})}

    async def player(self, app: str, player: str) -> PlayerFound:
        actor = actor_of(app, player)
        document = await self._one(PLAYERS, {"_id": actor}, {"totals": 1, "updatedAt": 1})
        return PlayerFound(document, await self._one(EVENTS, owned_by(actor), {"_id": 1}) is not None)

    async def requests(self, key: str) -> Sequence[Mapping[str, Any]]:
        return await self._find(REQUESTS, lookup({key}), fields=LOOKUP_FIELDS)

    async def event_records(self, ids: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        return await self._find(EVENTS, {"_id": {"$in": list(ids)}}, fields={"receivedAt": 1, "from": 1})

    async def place(self, coordinates: Coordinates) -> PlaceFound:
        """Primary and majority reads, in this order: what is read after the checkpoint is at least as new."""
        checkpoint = await self._one(CHECKPOINTS, {"_id": str(coordinates.partition_id)}, {"next": 1, "last": 1})
        exception = await self._one(EXCEPTIONS, {"_id": str(coordinates)}, None)
        own = await self._one(LINEAGES, {"_id": coordinates.lineage}, {"topic": 1})
        topic = own["topic"] if own else None
        newest = own and await self._one(LINEAGES, {"topic": topic}, {"_id": 1}, sort=[("generation", -1)])
        is_newest = newest is not None and newest["_id"] == coordinates.lineage
        return PlaceFound(checkpoint, exception, topic, is_newest, await self._kept_seconds())

    async def _kept_seconds(self) -> int | None:
        with translated():
            indexes = await self._database[EXCEPTIONS].index_information()
        return min((one["expireAfterSeconds"] for one in indexes.values() if "expireAfterSeconds" in one), default=None)

    async def _one(
        self,
        collection: str,
        wanted: Mapping[str, Any],
        fields: Mapping[str, int] | None,
        sort: Sequence[tuple[str, int]] = (),
    ) -> _Document | None:
        found = await self._find(collection, wanted, fields=fields, sort=sort, limit=1)
        return found[0] if found else None

    async def _find(
        self,
        collection: str,
        wanted: Mapping[str, Any],
        *,
        fields: Mapping[str, int] | None = None,
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
    ) -> list[_Document]:
        """By `_id` unless `sort` says otherwise and a limit needs an order."""
        order = list(sort) or ([("_id", 1)] if limit > 1 else None)
        with translated():
            return (
                await self._database[collection]
                .find(wanted, fields, sort=order, limit=limit, max_time_ms=self._timeout_millis)
                .to_list()
            )


def refusals_filter(query: ListQuery) -> _Document:
    """The samples of all pages. Without an index they are scanned: the capped collection has 16 MiB."""
    return {**query.where} if query.app is None else {"app": query.app, **query.where}


def dead_letters_pipeline(query: ListQuery) -> list[_Document]:
    """Sorts without the records' bytes. There are few dead letters: more than `max_dead_ratio` stop the worker."""
    wanted: _Document = {}
    if "cause" in query.where:
        wanted["reason"] = {"$regex": f"^{re.escape(query.where['cause'])}(:|$)"}
    if "redriven" in query.where:
        wanted["redriven"] = {"$exists": query.where["redriven"] == "true"}
    if query.after:
        at, identity = utc(query.after[0]), query.after[1]
        wanted["$or"] = [{"at": {"$lt": at}}, {"at": at, "_id": {"$lt": identity}}]
    fields = {"reason": 1, "at": 1, "redriven": 1, "key": 1, "cut": 1, "size": {"$binarySize": "$value"}}
    return [{"$match": wanted}, {"$project": fields}, {"$sort": {"at": -1, "_id": -1}}]
