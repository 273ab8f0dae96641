"""What the observer reads from MongoDB: checkpoints every step, and what changes seldom every few steps.

All is read from the primary, because only the primary shows that workers can write. The client has two connections of
its own, so that queries of readers don't delay a step, and no step delays them.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from console.observer.facts import MongoFacts, Silent
from console.observer.snapshot import Check
from schemas.documents import (
    CHECKPOINTS,
    CHECKS,
    DEAD_LETTERS,
    EXCEPTIONS,
    LINEAGES,
    REFUSALS,
    millis_of,
    owned_by,
    utc,
)
from schemas.settings import MongoSettings
from serving.clock import Clock
from serving.mongodb.client import is_lost, new_client, why
from serving.mongodb.denied import note_denied

# Of one step. A server that runs answers within milliseconds.
ANSWER_SECONDS = 3.0
# What changes seldom is read every so many steps, which is every ten seconds.
SELDOM_STEPS = 5
# Of one query of what changes seldom. Beyond this the number is unknown.
SELDOM_MILLIS = 500
# Dead letters that take longer to count are counted again after so many steps, which is five minutes.
LONG_PAUSE_STEPS = 150
# Refused records are counted by their time, over the last minute.
REFUSED_SECONDS = 60
# The newest exceptions in this time, duplicates too. If there are more, the rate is that of a shorter time.
COUNTED_EXCEPTIONS = 10_000
# Of the sample of refusals, the newest.
SAMPLED_REFUSALS = 1_000

_CHECKPOINT_FIELDS = {"lsid": 0, "uid": 0, "last": 0}
_is_open = {"redriven": {"$exists": False}}
_lineage_of = {"$arrayElemAt": [{"$split": ["$_id", "/"]}, 0]}


class Reader(Protocol):
    """Reads what MongoDB knows. Never raises for a server that does not answer."""

    async def read(self) -> MongoFacts | Silent: ...


@dataclass(frozen=True, slots=True)
class _Seldom:
    """What is read every SELDOM_STEPS."""

    dead_letters_open: Mapping[str, int] | None = None
    refused_per_second: Mapping[str, float] | None = None


class MongoReader:
    """Implements Reader."""

    def __init__(self, mongodb: MongoSettings, clock: Clock) -> None:
        millis = int(ANSWER_SECONDS * 1000)
        self._clock = clock
        self._client = new_client(
            mongodb,
            "tallymill observer",
            maxPoolSize=2,
            serverSelectionTimeoutMS=millis,
            connectTimeoutMS=millis,
            socketTimeoutMS=millis,
        )
        self._database = self._client.get_database(mongodb.database, read_concern=ReadConcern("majority"))
        self._steps = self._count_letters_at = 0
        self._seldom = _Seldom()

    async def close(self) -> None:
        await self._client.close()

    async def read(self) -> MongoFacts | Silent:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await self._read()
        except TimeoutError:
            self._steps = self._count_letters_at = 0
            return Silent(f"no answer within {ANSWER_SECONDS:g} s")
        except PyMongoError as error:
            self._steps = self._count_letters_at = 0
            note_denied(error)
            return Silent(why(error))
        self._steps += 1
        return found

    async def _read(self) -> MongoFacts:
        """Lineages before checkpoints: a lineage that is started in between has none yet."""
        if self._steps % SELDOM_STEPS == 0:
            self._seldom = await self._read_seldom()
        lineages = await self._database[LINEAGES].find({}, {"lost": 0, "accepted": 0}).to_list()
        checks = {one["_id"]: found async for one in self._database[CHECKS].find() if (found := check_of(one))}
        newest: dict[str, dict[str, Any]] = {}
        for one in lineages:
            newest[one["topic"]] = max(newest.get(one["topic"], one), one, key=lambda each: int(each["generation"]))
        ours = {"$or": [owned_by(one["_id"]) for one in newest.values()] or [{"_id": None}]}
        checkpoints = await self._database[CHECKPOINTS].find(ours, _CHECKPOINT_FIELDS).to_list()
        return replace(
            MongoFacts(lineages, {one["_id"]: one for one in checkpoints}, checks=checks),
            dead_letters_open=self._seldom.dead_letters_open,
            refused_per_second=self._seldom.refused_per_second,
        )

    async def _read_seldom(self) -> _Seldom:
        letters = None
        if self._steps >= self._count_letters_at:
            letters = await self._dead_letters_open()
            if letters is None:
                self._count_letters_at = self._steps + LONG_PAUSE_STEPS
        return _Seldom(letters, await self._refused_per_second())

    async def _dead_letters_open(self) -> Mapping[str, int] | None:
        """By lineage. None if there are too many to count within SELDOM_MILLIS."""
        stages: list[Mapping[str, Any]] = [
            {"$match": _is_open},
            {"$group": {"_id": _lineage_of, "letters": {"$sum": 1}}},
        ]
        found = await self._grouped(DEAD_LETTERS, stages)
        return None if found is None else {one["_id"]: one["letters"] for one in found}

    async def _refused_per_second(self) -> Mapping[str, float] | None:
        """By cause: what workers refused, and of what an ingress refused the sample, so at least so many.

        The sample has ten a minute for each app and cause.
        """
        now_millis = self._clock.wall_millis()
        since = utc(now_millis - REFUSED_SECONDS * 1000)
        stages: list[Mapping[str, Any]] = [
            {"$match": {"at": {"$gte": since}}},
            {"$sort": {"at": -1}},
            {"$limit": COUNTED_EXCEPTIONS},
            {
                "$group": {
                    "_id": {"$cond": [{"$eq": ["$fate", "refused"]}, "$cause", None]},
                    "records": {"$sum": 1},
                    "oldest": {"$min": "$at"},
                }
            },
        ]
        found, sampled = await self._grouped(EXCEPTIONS, stages), await self._sampled_refusals(since)
        return None if found is None or sampled is None else rates_of(found, sampled, now_millis)

    async def _sampled_refusals(self, since: datetime) -> list[str] | None:
        """The causes, one for each. A capped collection keeps its order, so this reads the newest end alone."""
        newest = self._database[REFUSALS].find({}, {"_id": 0, "cause": 1, "at": 1}, max_time_ms=SELDOM_MILLIS)
        try:
            found = await newest.sort("$natural", -1).limit(SAMPLED_REFUSALS).to_list()
        except OperationFailure as error:
            _raise_if_lost(error)
            return None
        return [one["cause"] for one in found if one["at"] >= since]

    async def _grouped(self, collection: str, stages: list[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
        """The documents; None if that takes longer than SELDOM_MILLIS, or is not allowed."""
        try:
            found = await self._database[collection].aggregate(stages, maxTimeMS=SELDOM_MILLIS)
            return await found.to_list()
        except OperationFailure as error:
            _raise_if_lost(error)
            return None


def _raise_if_lost(error: OperationFailure) -> None:
    """Raises the error if MongoDB is lost. Else it refused this query only, for example because it took too long."""
    if is_lost(error):
        raise error
    note_denied(error)


def rates_of(exceptions: Sequence[Mapping[str, Any]], sampled: Iterable[str], now_millis: int) -> Mapping[str, float]:
    """Refusals a second by cause, of grouped exceptions and of the causes in the sample.

    The group without a cause has the exceptions that are no refusals. They take part in the limit.
    """
    seconds = float(REFUSED_SECONDS)
    if exceptions and sum(one["records"] for one in exceptions) >= COUNTED_EXCEPTIONS:
        seconds = max(1.0, (now_millis - millis_of(min(one["oldest"] for one in exceptions))) / 1000)
    rates = {one["_id"]: one["records"] / seconds for one in exceptions if one["_id"] is not None}
    for cause, refusals in Counter(sampled).items():
        rates[cause] = rates.get(cause, 0.0) + refusals / REFUSED_SECONDS
    return {cause: round(rate, 3) for cause, rate in sorted(rates.items(), key=lambda one: -one[1])}


def check_of(document: Mapping[str, Any]) -> Check | None:
    """A document of `checks`; None for one that this version can't read."""
    at, ok, detail = document.get("at"), document.get("ok"), document.get("detail", "")
    if not isinstance(at, datetime) or not isinstance(ok, bool):
        return None
    return Check(millis_of(at), ok=ok, detail=str(detail))
