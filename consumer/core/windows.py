"""What a flush adds to the counts of an hour. schemas/windows.py says how long a window is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


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
