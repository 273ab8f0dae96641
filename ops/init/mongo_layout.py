"""Collections and views that `init` creates. Indexes are in schemas/requirements.py. Pure.

`refusals` is missing here: it is a capped collection, created by command.py.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from schemas.documents import (
    CHECKPOINTS,
    CHECKS,
    DEAD_LETTERS,
    DEFINITIONS,
    EVENTS,
    EXCEPTIONS,
    LINEAGES,
    PERIOD_COUNTS,
    PLAYERS,
    REQUESTS,
    TITLES,
)

COLLECTIONS = (
    PLAYERS,
    REQUESTS,
    PERIOD_COUNTS,
    EVENTS,
    TITLES,
    CHECKPOINTS,
    LINEAGES,
    EXCEPTIONS,
    DEAD_LETTERS,
    DEFINITIONS,
    CHECKS,
)

# The ids are digits for the most part. With zstd a stored id takes 68 bytes on disk with its index entries; with the
# default, snappy, 90.
COLLECTION_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    REQUESTS: {"storageEngine": {"wiredTiger": {"configString": "block_compressor=zstd"}}}
}

PERIOD_TOTALS = "period_totals"
EVENT_HOURS = "event_hours"
EVENT_DAYS = "event_days"


def period_totals_pipeline() -> list[dict[str, Any]]:
    """The view `period_totals`: period_counts summed over partitions, one document a minute of an event."""
    return [
        {"$project": {"hour": 1, "app": 1, "source": 1, "event": 1, "minutes": {"$objectToArray": "$minutes"}}},
        {"$unwind": "$minutes"},
        {
            "$group": {
                "_id": {
                    "hour": "$hour",
                    "app": "$app",
                    "source": "$source",
                    "event": "$event",
                    "minute": {"$toInt": "$minutes.k"},
                },
                "count": {"$sum": "$minutes.v"},
            }
        },
        {
            "$project": {
                "_id": 0,
                "at": {"$dateAdd": {"startDate": "$_id.hour", "unit": "minute", "amount": "$_id.minute"}},
                "app": "$_id.app",
                "source": "$_id.source",
                "event": "$_id.event",
                "count": 1,
            }
        },
    ]


def event_totals_pipeline(unit: Literal["hour", "day"]) -> list[dict[str, Any]]:
    """The views `event_hours` and `event_days`: one document an event and hour or day (UTC), summed over partitions.

    A match on at, app, source or event is put before the sum by MongoDB: by hours `at` is a renamed field.
    """
    at: Any = "$hour" if unit == "hour" else {"$dateTrunc": {"date": "$hour", "unit": unit}}
    return [
        {
            "$group": {
                "_id": {"at": at, "app": "$app", "source": "$source", "event": "$event"},
                "count": {"$sum": "$count"},
            }
        },
        {
            "$project": {
                "_id": 0,
                "at": "$_id.at",
                "app": "$_id.app",
                "source": "$_id.source",
                "event": "$_id.event",
                "count": 1,
            }
        },
    ]


# Views of period_counts for people who query MongoDB directly (docs/views.md).
VIEWS: Mapping[str, Callable[[], list[dict[str, Any]]]] = {
    PERIOD_TOTALS: period_totals_pipeline,
    EVENT_HOURS: lambda: event_totals_pipeline("hour"),
    EVENT_DAYS: lambda: event_totals_pipeline("day"),
}
