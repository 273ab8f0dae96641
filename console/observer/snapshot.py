"""What the observer knows: one frozen snapshot. /v1/system and the metrics are written from it.

None means not known. An unknown number is never 0. Times are milliseconds since 1970 in UTC.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from schemas.settings import Api

State = Literal["well", "degraded", "down", "unknown"]

# Between two steps of the observer.
STEP_SECONDS = 2
# Five minutes.
HISTORY_POINTS = 150


@dataclass(frozen=True, slots=True)
class Visible:
    """Seconds from a record's acceptance by Kafka until it is visible in MongoDB, over the last minute."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class PartitionNow:
    """One partition. `next`: the offset to count next. `end`: where the log ends, without open transactions.

    `owned`: whether the consumer group has given it to a worker. `removed`: records that Kafka removed uncounted.
    """

    partition: int
    owner: str | None = None
    lag_records: int | None = None
    lag_seconds: float | None = None
    next: int | None = None
    end: int | None = None
    last_flush_millis: int | None = None
    stopped: str | None = None
    headroom_seconds: float | None = None
    owned: bool | None = None
    removed: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "partition": self.partition,
            "owner": self.owner,
            "lagRecords": self.lag_records,
            "lagSeconds": self.lag_seconds,
            "next": self.next,
            "end": self.end,
            "lastFlush": instant(self.last_flush_millis),
            "stopped": self.stopped,
            "headroomSeconds": self.headroom_seconds,
        }


@dataclass(frozen=True, slots=True)
class TopicNow:
    """The balance, the rates and the lag of one topic. A lag in seconds is the age of the oldest uncounted record."""

    api: Api
    topic: str
    accepted: int | None = None
    applied: int | None = None
    duplicate: int | None = None
    refused: int | None = None
    dead: int | None = None
    gaps: int | None = None
    in_flight: int | None = None
    difference: int | None = None
    accepted_per_second: float | None = None
    counted_per_second: float | None = None
    lag_records: int | None = None
    lag_seconds: float | None = None
    visible: Visible | None = None
    dead_letters_open: int | None = None
    partitions: Sequence[PartitionNow] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "api": self.api,
            "topic": self.topic,
            "accepted": self.accepted,
            "applied": self.applied,
            "duplicate": self.duplicate,
            "refused": self.refused,
            "dead": self.dead,
            "gaps": self.gaps,
            "inFlight": self.in_flight,
            "difference": self.difference,
            "acceptedPerSecond": self.accepted_per_second,
            "countedPerSecond": self.counted_per_second,
            "lagRecords": self.lag_records,
            "lagSeconds": self.lag_seconds,
            "visible": None if self.visible is None else {"p50": self.visible.p50, "p99": self.visible.p99},
            "deadLettersOpen": self.dead_letters_open,
            "partitions": [one.as_json() for one in self.partitions],
        }


@dataclass(frozen=True, slots=True)
class Point:
    """One topic at one step."""

    accepted: float | None = None
    counted: float | None = None
    lag_seconds: float | None = None
    p50: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True)
class History:
    """The last HISTORY_POINTS steps, the oldest first. `points` of each API are as many as `at_millis`."""

    at_millis: Sequence[int] = ()
    points: Mapping[Api, Sequence[Point]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        of_api: dict[str, Any] = {
            api: {
                "accepted": [one.accepted for one in points],
                "counted": [one.counted for one in points],
                "lagSeconds": [one.lag_seconds for one in points],
                "p50": [one.p50 for one in points],
                "p99": [one.p99 for one in points],
            }
            for api, points in self.points.items()
        }
        return {"stepSeconds": STEP_SECONDS, "at": [instant(at) for at in self.at_millis], **of_api}


@dataclass(frozen=True, slots=True)
class Check:
    """The last run of `tallymill verify` or `doctor`."""

    at_millis: int
    ok: bool
    detail: str

    def as_json(self) -> dict[str, Any]:
        return {"at": instant(self.at_millis), "ok": self.ok, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything. `since_millis`: since when the state is what it is. `reasons`: sentences, the worst first."""

    as_of_millis: int
    state: State
    since_millis: int
    reasons: Sequence[str] = ()
    topics: Sequence[TopicNow] = ()
    refused_per_second: Mapping[str, float] | None = None
    history: History = field(default_factory=History)
    last_verify: Check | None = None
    last_doctor: Check | None = None

    def as_json(self) -> dict[str, Any]:
        """The answer of GET /v1/system."""
        return {
            "asOf": instant(self.as_of_millis),
            "state": self.state,
            "since": instant(self.since_millis),
            "reasons": list(self.reasons),
            "topics": [one.as_json() for one in self.topics],
            "refusedPerSecond": None if self.refused_per_second is None else dict(self.refused_per_second),
            "history": self.history.as_json(),
            "lastVerify": None if self.last_verify is None else self.last_verify.as_json(),
            "lastDoctor": None if self.last_doctor is None else self.last_doctor.as_json(),
        }


def instant(millis: int | None) -> str | None:
    """RFC 3339 in UTC with milliseconds."""
    if millis is None:
        return None
    at = datetime.fromtimestamp(millis / 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{millis % 1000:03}Z"
