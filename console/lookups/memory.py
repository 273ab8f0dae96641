"""The look-ups in memory: the same documents as in MongoDB, by collection and `_id`."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from console.queries.finds import PlaceFound, PlayerFound
from console.queries.lists import AppFound, Document, ListQuery, cause_of, is_of_app
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
    millis_of,
)
from schemas.request_ids import hash_of


async def _ping() -> None:
    await asyncio.sleep(0)


@dataclass(slots=True)
class MemoryLookups:
    """Implements Lookups. `ping`: raises what every query raises."""

    ping: Callable[[], Awaitable[None]] = _ping
    documents: dict[str, dict[str, Document]] = field(default_factory=dict)
    kept_seconds: int | None = None

    def put(self, collection: str, *documents: Document) -> None:
        """Stores documents by their `_id`."""
        self.documents.setdefault(collection, {}).update({str(one["_id"]): one for one in documents})

    def _all(self, collection: str) -> Iterator[Document]:
        return iter(self.documents.get(collection, {}).values())

    def _owned(self, collection: str, owner: str) -> list[Document]:
        low, high = ids_below(owner)
        return sorted(
            (one for one in self._all(collection) if low <= str(one["_id"]) < high), key=lambda one: str(one["_id"])
        )

    async def apps(self, after: str | None, limit: int) -> Sequence[AppFound]:
        await self._asked()
        ids = [str(one["_id"]) for name in (DEFINITIONS, PLAYERS, TITLES) for one in self._all(name)]
        names = {one.partition("/")[0] for one in ids if "/" in one}
        in_order = sorted(f"{name}/" for name in names if after is None or f"{name}/" > f"{after}/")
        return [await self.app(name.removesuffix("/")) for name in in_order[:limit]]

    async def app(self, name: str) -> AppFound:
        await self._asked()
        in_force = [one for one in self._owned(DEFINITIONS, name) if one.get("retiredAt") is None]
        return AppFound(name, len(in_force), bool(self._owned(PLAYERS, name)), bool(self._owned(TITLES, name)))

    async def definitions(self, app: str, after: str | None, limit: int) -> Sequence[Document]:
        await self._asked()
        return [one for one in self._owned(DEFINITIONS, app) if after is None or one["_id"] > after][:limit]

    async def refusals(self, query: ListQuery) -> Sequence[Document]:
        await self._asked()
        found = sorted(self._refusals(query), key=lambda one: str(one["_id"]), reverse=True)
        return [one for one in found if not query.after or str(one["_id"]) < query.after[0]][: query.limit + 1]

    async def refusal_causes(self, query: ListQuery) -> Mapping[str, int]:
        await self._asked()
        return Counter(one["cause"] for one in self._refusals(query))

    def _refusals(self, query: ListQuery) -> list[Document]:
        wanted = {**query.where, **({} if query.app is None else {"app": query.app})}
        return [one for one in self._all(REFUSALS) if all(one[name] == value for name, value in wanted.items())]

    async def dead_letters(self, query: ListQuery) -> Sequence[Document]:
        await self._asked()
        found = sorted(self._dead_letters(query), key=_age, reverse=True)
        return [one for one in found if not query.after or _age(one) < query.after][: query.limit + 1]

    def _dead_letters(self, query: ListQuery) -> Iterator[Document]:
        for one in self._all(DEAD_LETTERS):
            redriven = "true" if "redriven" in one else "false"
            fits = query.where.get("cause") in (None, cause_of(one["reason"]))
            if fits and query.where.get("redriven") in (None, redriven) and is_of_app(one, query.app):
                yield {**one, "size": len(one["value"])}

    async def topics(self) -> Mapping[str, str]:
        await self._asked()
        return {one["_id"]: one["topic"] for one in self._all(LINEAGES)}

    async def player(self, app: str, player: str) -> PlayerFound:
        await self._asked()
        actor = actor_of(app, player)
        return PlayerFound(self.documents.get(PLAYERS, {}).get(actor), bool(self._owned(EVENTS, actor)))

    async def requests(self, key: str) -> Sequence[Document]:
        await self._asked()
        return [one for one in self._all(REQUESTS) if hash_of(key) in one["keys"]]

    async def event_records(self, ids: Sequence[str]) -> Sequence[Document]:
        await self._asked()
        events = self.documents.get(EVENTS, {})
        return [events[one] for one in ids if one in events]

    async def place(self, coordinates: Coordinates) -> PlaceFound:
        await self._asked()
        checkpoint = self.documents.get(CHECKPOINTS, {}).get(str(coordinates.partition_id))
        exception = self.documents.get(EXCEPTIONS, {}).get(str(coordinates))
        own = self.documents.get(LINEAGES, {}).get(coordinates.lineage)
        topic = own["topic"] if own else None
        of_topic = [one for one in self._all(LINEAGES) if one["topic"] == topic]
        newest = max(of_topic, key=lambda one: int(one["generation"]), default=None)
        is_newest = newest is not None and newest["_id"] == coordinates.lineage
        return PlaceFound(checkpoint, exception, topic, is_newest, self.kept_seconds)

    async def _asked(self) -> None:
        await self.ping()


def _age(document: Document) -> tuple[int, str]:
    return millis_of(document["at"]), document["_id"]
