"""A WritePlan as MongoDB operations. Pure. One operation a document, by `_id` alone: the server's fast path."""

from collections.abc import Mapping
from typing import Any

import bson
from bson import Int64
from pymongo import InsertOne, ReplaceOne, UpdateOne

from consumer.core.gap import Gap
from consumer.core.plan import CheckpointMove, Documents, PlayerIncrement, TitleWrites, WritePlan
from consumer.core.windows import PeriodIncrement
from schemas.documents import DEAD_LETTERS, EVENTS, EXCEPTIONS, PERIOD_COUNTS, PLAYERS, REQUESTS, TITLES
from schemas.request_ids import packed

Document = dict[str, Any]


class Upserts(list[Document]):
    """Statements of MongoDB's command `update`, as they are sent (upserts.py)."""


Writes = list[InsertOne[Document] | ReplaceOne[Document] | UpdateOne] | Upserts


def checkpoint_move(move: CheckpointMove) -> Document:
    """The update of a checkpoint that stands at move.start."""
    increments: Document = {f"fates.{fate}": Int64(count) for fate, count in move.fates.items()}
    increments |= {f"visible.{bucket}": Int64(count) for bucket, count in move.visible.items()}
    return {
        "$set": {"next": Int64(move.end), "last": dict(move.last)},
        "$inc": increments | {"gaps": Int64(move.gaps)},
        "$currentDate": {"updatedAt": True, "flushedAt": True},
    }


def are_encodable(operations: Writes) -> bool:
    """Whether BSON can encode all operations. If not, the failure is a record's fault."""
    try:
        for one in operations:
            document = one if isinstance(one, dict) else one._doc  # noqa: SLF001 no public name
            bson.encode({"filter": getattr(one, "_filter", None), "document": document})
    except Exception:  # noqa: BLE001 whatever the encoder raises
        return False
    return True


def gap_move(gap: Gap) -> Document:
    """The update of a checkpoint that stands at gap.start. `last` stays: no record was applied."""
    return {
        "$set": {"next": Int64(gap.end)},
        "$inc": {"gaps": Int64(gap.offsets)},
        "$currentDate": {"updatedAt": True},
    }


def writes_of(plan: WritePlan) -> Mapping[str, Writes]:
    """Operations by collection, in the order in which they are sent."""
    return {
        PLAYERS: _players(plan.players),
        PERIOD_COUNTS: _period_counts(plan.periods),
        REQUESTS: [InsertOne(dict(document)) for document in packed(plan.checkpoint.partition, plan.requests)],
        EXCEPTIONS: [InsertOne(dict(document)) for document in plan.exceptions],
        DEAD_LETTERS: [InsertOne(dict(document)) for document in plan.dead_letters],
        EVENTS: _documents(plan.events),
        TITLES: _titles(plan.titles),
    }


def _documents(documents: Documents[Any]) -> Writes:
    return [
        ReplaceOne({"_id": key}, dict(document)) if key in documents.replaced else InsertOne(dict(document))
        for key, document in documents.by_id.items()
    ]


def _titles(titles: TitleWrites) -> Writes:
    """The titles and the app's counts of them. Two partitions that add titles at once conflict on the counts."""
    counts = [
        UpdateOne({"_id": app}, {"$inc": {"count": Int64(n.players), "anonymous": Int64(n.anonymous)}}, upsert=True)
        for app, n in titles.added.items()
    ]
    return [*counts, *_documents(titles.documents)]


def _players(players: Mapping[str, PlayerIncrement]) -> Upserts:
    return Upserts(
        _upsert(
            actor,
            {
                "$inc": {f"totals.{event}": Int64(count) for event, count in increment.totals.items()},
                "$max": {"updatedAt": increment.updated_at},
            },
        )
        for actor, increment in players.items()
    )


def _period_counts(periods: Mapping[str, PeriodIncrement]) -> Upserts:
    return Upserts(
        _upsert(
            key,
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
        )
        for key, period in periods.items()
    )


def _upsert(key: str, update: Document) -> Document:
    return {"q": {"_id": key}, "u": update, "upsert": True}
