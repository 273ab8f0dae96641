"""Buckets: the fixed windows that counts are kept under, a minute within its hour."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from schemas.coordinates import PartitionId
from schemas.documents import period_count_key, utc

MINUTE_MILLIS = 60_000
MINUTES_PER_HOUR = 60


class Bucket(NamedTuple):
    """Numbers, since they are made for every update: `hour` counts from 1970 UTC, `minute` from the hour's start."""

    hour: int
    minute: int


def bucket_of(start_millis: int) -> Bucket:
    """The bucket of a period, chosen by its start (ms since 1970 UTC)."""
    return Bucket(*divmod(start_millis // MINUTE_MILLIS, MINUTES_PER_HOUR))


def start_of(hour: int) -> datetime:
    """When an hour starts."""
    return utc(hour * MINUTES_PER_HOUR * MINUTE_MILLIS)


@dataclass(frozen=True, slots=True)
class PeriodIncrement:
    """What one flush adds to one hour of one event: counts by minute, as two digits."""

    hour: datetime
    app: str
    source: str
    event: str
    minutes: Mapping[str, int]

    @property
    def count(self) -> int:
        return sum(self.minutes.values())


Sums = defaultdict[tuple[int, str, str], dict[int, int]]
"""What a flush counts, while it is planned: by hour, app and event, then by minute."""


def increments(sums: Sums, source: str, partition: PartitionId) -> dict[str, PeriodIncrement]:
    """The same by `_id` of `period_counts`. `source`: the API that counts."""
    found = (
        PeriodIncrement(
            start_of(hour), app, source, event, {f"{minute:02}": count for minute, count in minutes.items()}
        )
        for (hour, app, event), minutes in sums.items()
    )
    return {period_count_key(one.hour, one.app, source, one.event, partition): one for one in found}
