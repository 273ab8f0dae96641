"""A WritePlan in MongoDB's words. Pure: one operation a document, filtered on `_id` alone (the server's fast path)."""

from collections.abc import Mapping
from typing import Any

import bson
from bson import Int64
from pymongo import InsertOne, ReplaceOne, UpdateOne

from consumer.core.gap import Gap
from consumer.core.plan import WritePlan
from schemas.documents import DEAD_LETTERS, EVENTS, EXCEPTIONS, PERIOD_COUNTS, PLAYERS, REQUESTS, TITLES

Document = dict[str, Any]
Writes = list[InsertOne[Document] | ReplaceOne[Document] | UpdateOne]


def checkpoint_move(plan: WritePlan) -> Document:
    """The update of a checkpoint that stands at plan.start."""
    increments: Document = {f"fates.{fate}": Int64(count) for fate, count in plan.fates.items()}
    return {
        "$set": {"next": Int64(plan.end), "last": dict(plan.last)},
        "$inc": increments | {"gaps": Int64(plan.gaps)},
        "$currentDate": {"updatedAt": True},
    }


def are_encodable(operations: Writes) -> bool:
    """Whether BSON can be made of all of them: only then can it be anything but a record's fault that one failed."""
    try:
        for one in operations:
            bson.encode({"filter": getattr(one, "_filter", None), "document": one._doc})  # noqa: SLF001 no public name
    except Exception:  # noqa: BLE001 whatever the encoder raises
        return False
    return True


def gap_move(gap: Gap) -> Document:
    """The update of a checkpoint that stands at gap.start: what it was last applied to stays as it is."""
    return {
        "$set": {"next": Int64(gap.end)},
        "$inc": {"gaps": Int64(gap.offsets)},
        "$currentDate": {"updatedAt": True},
    }


def writes_of(plan: WritePlan) -> Mapping[str, Writes]:
    """Operations by collection, in the order they are sent."""
    return {
        PLAYERS: _players(plan),
        PERIOD_COUNTS: _period_counts(plan),
        REQUESTS: _requests(plan),
        EXCEPTIONS: [InsertOne(dict(document)) for document in plan.exceptions],
        DEAD_LETTERS: [InsertOne(dict(document)) for document in plan.dead_letters],
        EVENTS: _events(plan),
        TITLES: _titles(plan),
    }


def _events(plan: WritePlan) -> Writes:
    pools = plan.pools
    return [
        ReplaceOne({"_id": key}, dict(document)) if key in pools.replaced else InsertOne(dict(document))
        for key, document in pools.events.items()
    ]


def _titles(plan: WritePlan) -> Writes:
    """A title once; and the app's numbers of them, where two partitions that register one at once collide."""
    titles = plan.pools.titles
    numbers = [
        UpdateOne({"_id": app}, {"$inc": {"count": Int64(n.players), "anonymous": Int64(n.anonymous)}}, upsert=True)
        for app, n in titles.added.items()
    ]
    documents = [
        ReplaceOne({"_id": key}, dict(document)) if key in titles.replaced else InsertOne(dict(document))
        for key, document in titles.documents.items()
    ]
    return [*numbers, *documents]


def _players(plan: WritePlan) -> Writes:
    return [
        UpdateOne(
            {"_id": actor},
            {
                "$inc": {f"totals.{event}": Int64(count) for event, count in increment.totals.items()},
                "$max": {"updatedAt": increment.updated_at},
            },
            upsert=True,
        )
        for actor, increment in plan.players.items()
    ]


def _period_counts(plan: WritePlan) -> Writes:
    return [
        UpdateOne(
            {"_id": key},
            {
                "$inc": {f"minutes.{minute}": Int64(count) for minute, count in period.minutes.items()}
                | {"count": Int64(period.count)},
                "$setOnInsert": {
                    "hour": period.hour,
                    "app": period.app,
                    "source": period.source,
                    "event": period.event,
                },
            },
            upsert=True,
        )
        for key, period in plan.periods.items()
    ]


def _requests(plan: WritePlan) -> Writes:
    return [
        ReplaceOne({"_id": key}, dict(document)) if key in plan.forgotten else InsertOne(dict(document))
        for key, document in plan.requests.items()
    ]
