"""What a flush adds to the counts of an hour. schemas/windows.py says how long a window is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from schemas.coordinates import PartitionId
from schemas.documents import period_count_key
from schemas.windows import bucket_of


@dataclass(frozen=True, slots=True)
class PeriodIncrement:
    """What one flush adds to one hour of one event: counts by the minute that their window starts in, as two digits."""

    hour: datetime
    app: str
    source: str
    event: str
    minutes: Mapping[str, int]

    @property
    def count(self) -> int:
        return sum(self.minutes.values())


Sums = dict[tuple[int, str, str], int]
"""What a flush counts, while it is planned: by window (schemas/windows.py), app and event."""


def increments(sums: Sums, source: str, partition: PartitionId) -> dict[str, PeriodIncrement]:
    """The same by `_id` of `period_counts`. `source`: the API that counts."""
    by_hour: dict[tuple[datetime, str, str], dict[str, int]] = {}
    for (window, app, event), count in sums.items():
        hour, minute = bucket_of(window)
        by_hour.setdefault((hour, app, event), {})[minute] = count
    return {
        period_count_key(hour, app, source, event, partition): PeriodIncrement(hour, app, source, event, minutes)
        for (hour, app, event), minutes in by_hour.items()
    }
