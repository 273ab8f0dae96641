"""What `init` makes beside what the promise asks for (schemas/requirements.py): collections, the view. Pure.

`refusals` is no plain collection: init.py makes it capped.
"""

from typing import Any

from schemas.documents import (
    CHECKPOINTS,
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
)

PERIOD_TOTALS = "period_totals"


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
