"""What every process asked MongoDB for, by its profiler, and whether the shard keys of a page would route it."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.growing.stage import Stage

LOG_BYTES = 64 * 1024 * 1024
"""Enough for each operation of a minute or so."""
ROUTING = frozenset({"$eq", "$in"})
RANGES = frozenset({"$gt", "$gte", "$lt", "$lte"})

Key = Literal["1", "hashed"]
"""How `_id` is a shard key."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One that a process of tallymill sent."""

    collection: str
    name: str
    """find, aggregate, insert, update."""
    filter: Mapping[str, Any]
    process: str
    """`tallymill worker`, for example."""
    read_concern: str | None
    """Of the first operation of a transaction; None of any other."""

    def is_routed(self, key: Key) -> bool:
        """Whether mongos can tell from the filter which shards have the documents. An insert names its `_id`."""
        return self.name == "insert" or _is_routed(self.filter, key)

    @property
    def fields(self) -> str:
        """What it selects by, as the page names it."""
        names = {name for one in (self.filter, *_branches(self.filter)) for name in one if name != "$or"}
        return ", ".join(f"`{name}`" for name in sorted(names)) or "everything"


@dataclass(slots=True)
class Profile:
    operations: list[Operation] = field(default_factory=list)

    def of(self, collection: str, *names: str) -> Iterator[Operation]:
        return (one for one in self.operations if one.collection == collection and one.name in names)


@asynccontextmanager
async def profiled(stage: Stage) -> AsyncIterator[Profile]:
    """At the end of the block it has all operations of tallymill's own clients."""
    found = Profile()
    database = stage.database
    await database.create_collection("system.profile", capped=True, size=LOG_BYTES)
    await database.command("profile", 2)
    yield found
    await database.command("profile", 0)
    async for one in database["system.profile"].find({"appName": {"$regex": "^tallymill"}}):
        if (operation := _operation(one)) is not None:
            found.operations.append(operation)


def _operation(entry: Mapping[str, Any]) -> Operation | None:
    command = entry["command"]
    name = entry["op"] if entry["op"] in {"insert", "update", "remove"} else next(iter(command))
    if name == "findAndModify":
        name = "update"
    query = command.get("q", command.get("query", command.get("filter", {})))
    if name == "aggregate":
        query = _match(command["pipeline"])
    if name not in {"insert", "update", "remove", "find", "aggregate"} or query is None:
        return None
    collection = entry["ns"].partition(".")[2]
    begins = command.get("startTransaction", False)
    read_concern = command.get("readConcern", {}).get("level", "") if begins else None
    return Operation(collection, name, query, entry["appName"], read_concern)


def _match(pipeline: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The filter of a pipeline. None: it asks for no documents."""
    first = pipeline[0]
    if "$collStats" in first:
        return None
    found: Mapping[str, Any] = first.get("$match", {})
    return found


def _branches(query: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(query.get("$or", ()))


def _is_routed(query: Mapping[str, Any], key: Key) -> bool:
    if "_id" in query:
        asked = query["_id"]
        if not isinstance(asked, Mapping) or not any(name.startswith("$") for name in asked):
            return True
        return bool(asked.keys() & (ROUTING | (RANGES if key == "1" else frozenset())))
    return bool(branches := _branches(query)) and all(_is_routed(one, key) for one in branches)
