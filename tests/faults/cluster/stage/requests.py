"""What the load sends: requests from whose sums one can tell how often each was counted. Pure.

A player sends ten batches, of 1, 4, 16, ... events. The digits of the player's total in base four are how often each of
them counted, so a lost and a doubled one never cancel out. Each item of a pool has its own number.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

Api = Literal["games", "analytics"]

PATHS = {"games": "/games/v1/events", "analytics": "/AddEventBatch"}
APIS: tuple[Api, ...] = ("games", "analytics")

PLAYERS = 60
"""Who send in turn: neighbours are in other partitions."""
BASE = 4
DIGITS = 10
"""Batches of one player: 4**9 is the largest count, below max_update_count."""
ITEMS = 2
"""Items of a pool."""
MINUTE_MILLIS = 60_000
MINUTES = 50
"""Minutes of the last hour that events lie in."""
TITLES = ("Navigation", "Search", "Purchase")


@dataclass(slots=True)
class Sent:
    """One request, and what became of it. Times are monotonic seconds; `where` is lineage, partition, offset."""

    api: Api
    number: int
    player: str
    weight: int
    minute: int
    body: bytes
    first_at: float | None = None
    acked_at: float | None = None
    attempts: int = 0
    duplicate: bool = False
    refused: str = ""
    where: tuple[str, int, int] | None = None
    receipt: str = ""
    answers: list[str] = field(default_factory=list)

    @property
    def items(self) -> Sequence[int]:
        """Numbers of a pool's items."""
        return range(self.number * ITEMS, (self.number + 1) * ITEMS)

    def told(self) -> str:
        """One line: the request, its record, and its answer."""
        place = "/".join(map(str, self.where)) if self.where else "no receipt"
        return f"{self.api} {self.number} ({place}): {', '.join(self.answers[-5:])} {self.refused}"

    @property
    def digit(self) -> int:
        """Which digit of the player's total is this batch's."""
        return self.number // PLAYERS % DIGITS


def title_of(item: int) -> str:
    return TITLES[item % len(TITLES)]


def games_requests(now_millis: int) -> Iterator[Sent]:
    """Batches without end, in the order they are sent."""
    first = now_millis // MINUTE_MILLIS - MINUTES - 2
    for number in count():
        player = f"p{number // (PLAYERS * DIGITS)}-{number % PLAYERS}"
        weight = BASE ** (number // PLAYERS % DIGITS)
        minute = first + number % MINUTES
        body = {
            "requestId": str(number + 1),
            "timePeriods": [
                {
                    "timePeriod": {
                        "periodStartMillis": str(minute * MINUTE_MILLIS),
                        "periodEndMillis": str((minute + 1) * MINUTE_MILLIS),
                    },
                    "updates": [{"definitionId": "LEVEL_UP", "updateCount": str(weight)}],
                }
            ],
        }
        yield Sent("games", number, player, weight, minute, json.dumps(body).encode())


def analytics_requests(now_millis: int) -> Iterator[Sent]:
    """Pools without end, all items of one in one minute."""
    first = now_millis // MINUTE_MILLIS - MINUTES - 2
    for number in count():
        minute = first + number % MINUTES
        items = range(number * ITEMS, (number + 1) * ITEMS)
        at = str(minute * MINUTE_MILLIS + 1)
        body = {
            "requestId": f"pool-{number}",
            "eventData": [{"Timestamp": at, "Event": title_of(item), "Data": {"n": item}} for item in items],
        }
        yield Sent("analytics", number, f"q{number % PLAYERS}", 1, minute, json.dumps(body).encode())


def times_counted(total: int) -> list[int]:
    """How often each of a player's batches is in the total, by its digit."""
    digits = []
    for _ in range(DIGITS - 1):
        total, digit = divmod(total, BASE)
        digits.append(digit)
    return [*digits, total]
