"""What must be there before the first record: topics and their settings, collections, indexes, the view. Pure.

`init` makes what is missing and says what is wrong; it changes nothing that exists.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.documents import (
    CHECKPOINTS,
    DEAD_LETTERS,
    DEFINITIONS,
    EXCEPTIONS,
    LINEAGES,
    PERIOD_COUNTS,
    PLAYERS,
    REQUESTS,
)
from schemas.settings import KafkaSettings, Limits

COLLECTIONS = (PLAYERS, REQUESTS, PERIOD_COUNTS, CHECKPOINTS, LINEAGES, EXCEPTIONS, DEAD_LETTERS, DEFINITIONS)

PERIOD_TOTALS = "period_totals"

# Kafka counts the key, the headers and its own framing into a message's size; 64 KiB is far above what we add.
ENVELOPE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Index:
    """One index: `expire_seconds` makes it a TTL index."""

    collection: str
    key: str
    expire_seconds: int | None = None

    @property
    def name(self) -> str:
        """As MongoDB names it by itself."""
        return f"{self.key}_1"


def topic_config(kafka: KafkaSettings, limits: Limits) -> dict[str, str]:
    """Settings of the topic that what we promise rests on."""
    return {
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(kafka.retention_seconds * 1000),
        "max.message.bytes": str(limits.max_body_bytes + ENVELOPE_BYTES),
    }


# Why each matters: told where it is wrong.
TOPIC_REASONS = {
    "cleanup.policy": "compaction removes records that were never counted",
    "message.timestamp.type": "a record's time must be the broker's, or remembered ids expire by a client's clock",
    "retention.ms": "ids are remembered for dedupe_window + retention, so a topic that keeps more may count twice",
    "max.message.bytes": "a body within the limit must fit",
}


def wrong_topic_config(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """One sentence for each setting that breaks a promise. More room for messages and less retention are fine."""
    fine: dict[str, Callable[[str], bool]] = {
        "cleanup.policy": lambda value: value == wanted["cleanup.policy"],
        "message.timestamp.type": lambda value: value == wanted["message.timestamp.type"],
        "retention.ms": lambda value: 0 <= int(value) <= int(wanted["retention.ms"]),
        "max.message.bytes": lambda value: int(value) >= int(wanted["max.message.bytes"]),
    }
    return [
        f"{name} is {found.get(name)}, must be {wanted[name]}: {TOPIC_REASONS[name]}"
        for name, is_fine in fine.items()
        if name not in found or not is_fine(found[name])
    ]


def remembered_seconds(kafka: KafkaSettings, limits: Limits) -> int:
    """How long a requestId's document lives: a worker that lags, or a partition read again, still finds it."""
    return limits.dedupe_window_seconds + kafka.retention_seconds


def indexes(kafka: KafkaSettings, limits: Limits) -> tuple[Index, ...]:
    """All indexes beside `_id`: each costs every flush, so there are few."""
    seconds = remembered_seconds(kafka, limits)
    return (
        Index(REQUESTS, "at", seconds),
        Index(EXCEPTIONS, "at", seconds),
        Index(DEFINITIONS, "app"),
    )


def wrong_index(found: Mapping[str, Any], wanted: Index) -> str | None:
    """What is wrong with an index of the wanted name. A TTL may be longer; shorter would forget ids too soon."""
    seconds = found.get("expireAfterSeconds")
    if wanted.expire_seconds is None or (seconds is not None and seconds >= wanted.expire_seconds):
        return None
    return (
        f"index {wanted.collection}.{wanted.name}: expireAfterSeconds is {seconds}, must be at least "
        f"{wanted.expire_seconds} (dedupe_window + retention)"
    )


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
