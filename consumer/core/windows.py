"""What a flush adds to the counts of an hour. schemas/windows.py says how long a window is."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from schemas.coordinates import PartitionId
from schemas.documents import period_count_key
from schemas.windows import start_of


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
