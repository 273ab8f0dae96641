"""What a load sends, and what must stand in MongoDB after it. Pure: a seed gives the same load."""

import json
import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol

from typing_extensions import TypeVar

from schemas.windows import MINUTE_MILLIS, window_of

EVENTS = ("LEVEL_UP", "ENEMY_DEFEATED", "COIN_FOUND", "SECRET_FOUND")
PERIODS_PER_BATCH = 2
UPDATES_PER_PERIOD = 2
MAX_COUNT = 5

# Periods lie in the hour before the load, so that none is too old or in the future.
MINUTES_BACK = 60


@dataclass(frozen=True, slots=True)
class LoadOptions:
    rate: float
    seconds: float
    players: int
    duplicates: float
    seed: int

    @property
    def shots(self) -> int:
        return int(self.rate * self.seconds)


def wrong_load(options: LoadOptions) -> str:
    """What keeps options from being a load; empty where nothing does. Ranges are the command line's to check."""
    if not math.isfinite(options.rate * options.seconds * options.duplicates):
        return "--rate, --seconds and --duplicates must be numbers"
    if options.shots < 1:
        return f"--rate {options.rate:g} for --seconds {options.seconds:g} sends nothing: that is less than one request"
    return ""


@dataclass(frozen=True, slots=True)
class Update:
    start_millis: int
    event: str
    count: int


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: the same bytes however often it is sent."""

    player: str
    request_id: int
    updates: tuple[Update, ...]
    body: bytes


class Sendable(Protocol):
    """What a request of a load is made of."""

    @property
    def player(self) -> str: ...

    @property
    def request_id(self) -> int:
        """What tells it from others, and is the same whenever it is sent again."""
        ...

    @property
    def body(self) -> bytes: ...


S = TypeVar("S", bound=Sendable, default=Batch)


@dataclass(frozen=True, slots=True)
class Shot(Generic[S]):
    """One request of the load, due `at_seconds` after its start, answered or not what came before."""

    at_seconds: float
    batch: S
    is_repeat: bool


def shots(options: LoadOptions, start_millis: int) -> Iterator[Shot]:
    """The load in order of time. A repeat resends a batch of at least a second ago."""
    chance = random.Random(options.seed)  # noqa: S311 a load, no secret
    sent: list[Batch] = []
    repeatable = int(options.rate)
    for i in range(options.shots):
        at = i / options.rate
        is_repeat = len(sent) > repeatable and chance.random() < options.duplicates
        if is_repeat:
            batch = sent[chance.randrange(len(sent) - repeatable)]
        else:
            batch = _batch(chance, i + 1, options.players, start_millis)
            sent.append(batch)
        yield Shot(at, batch, is_repeat)


def _batch(chance: random.Random, request_id: int, players: int, start_millis: int) -> Batch:
    minute = start_millis // MINUTE_MILLIS * MINUTE_MILLIS
    starts = [minute - chance.randrange(1, MINUTES_BACK) * MINUTE_MILLIS for _ in range(PERIODS_PER_BATCH)]
    updates = tuple(
        Update(start, event, chance.randint(1, MAX_COUNT))
        for start in starts
        for event in chance.sample(EVENTS, UPDATES_PER_PERIOD)
    )
    body = json.dumps(
        {
            "requestId": str(request_id),
            "timePeriods": [
                {
                    "timePeriod": {"periodStartMillis": str(start), "periodEndMillis": str(start + MINUTE_MILLIS)},
                    "updates": [
                        {"definitionId": u.event, "updateCount": str(u.count)}
                        for u in updates[i * UPDATES_PER_PERIOD : (i + 1) * UPDATES_PER_PERIOD]
                    ],
                }
                for i, start in enumerate(starts)
            ],
        }
    )
    return Batch(f"player-{chance.randrange(players)}", request_id, updates, body.encode())


@dataclass(slots=True)
class Sums:
    """Counts by (player, event), and by window and event; how many batches made them.

    A window is named by the minute since 1970 that it starts in.
    """

    batches: int = 0
    players: Counter[tuple[str, str]] = field(default_factory=Counter)
    minutes: Counter[tuple[int, str]] = field(default_factory=Counter)

    def add(self, batch: Batch) -> None:
        self.batches += 1
        for update in batch.updates:
            self.players[batch.player, update.event] += update.count
            self.minutes[window_of(update.start_millis), update.event] += update.count


def differences(expected: Sums, found: Sums) -> list[str]:
    """Every place where MongoDB does not hold what was accepted, one line each; empty: right to the unit."""
    lines = []
    if expected.batches != found.batches:
        lines.append(f"requests: {found.batches}, expected {expected.batches}")
    for name, wanted, got in (("player", expected.players, found.players), ("minute", expected.minutes, found.minutes)):
        lines += [
            f"{name} {key[0]}, {key[1]}: {got[key]}, expected {wanted[key]}"  # type: ignore[index]  # two kinds of key
            for key in sorted(wanted.keys() | got.keys())
            if wanted[key] != got[key]  # type: ignore[index]
        ]
    return lines
