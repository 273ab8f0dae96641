"""The schedule of a seed: the records, the portions in which they are sent, and the faults in between. Pure."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.consumer.sums import Sent, counting, garbage, undeclared
from tests.faults.hostile import HOSTILE

Fault = Literal["kill worker", "freeze worker", "kill primary", "step down"]
FAULTS: tuple[Fault, ...] = ("kill worker", "freeze worker", "kill primary", "step down")

PARTITIONS = 3
STEPS = 5
PORTIONS_A_STEP = 6
RECORDS_A_PORTION = 40
PLAYERS = ("ann", "bob", "cid", "dan")


@dataclass(frozen=True, slots=True)
class Step:
    """Portions of records, each with the pause after it; then one thing to break, of that worker where it is theirs."""

    portions: Sequence[tuple[Sequence[Sent], float]]
    fault: Fault
    worker: int


def schedule(seed: int) -> list[Step]:
    """Steps of a run; the same for the same seed. Each kind of fault comes at least once."""
    chance = random.Random(seed)  # noqa: S311 no secret: a schedule that can be run again
    faults = [*FAULTS, *chance.choices(FAULTS, k=STEPS - len(FAULTS))]
    chance.shuffle(faults)
    ids = iter(range(10, 10**6))
    before: list[Sent] = []
    return [
        Step([_portion(chance, ids, before) for _ in range(PORTIONS_A_STEP)], f, chance.randrange(2)) for f in faults
    ]


def _portion(chance: random.Random, ids: Iterator[int], before: list[Sent]) -> tuple[Sequence[Sent], float]:
    sent = [_record(chance, next(ids), before) for _ in range(RECORDS_A_PORTION)]
    before += [one for one in sent if one.outcome == "counts"]
    return sent, chance.uniform(0.02, 0.15)


def _record(chance: random.Random, number: int, before: Sequence[Sent]) -> Sent:
    """Mostly a new id; now and then one sent before, there or in another partition, refused, unreadable, or hostile."""
    partition, kind = chance.randrange(PARTITIONS), chance.random()
    if kind < 0.2 and before:
        again = chance.choice(before)
        return Sent(partition, *(getattr(again, name) for name in Sent.__slots__[1:]))
    if kind < 0.22:
        return undeclared(partition, number)
    if kind < 0.24:
        return garbage(partition)
    if kind < 0.28:
        return chance.choice(HOSTILE)(chance, partition, number)
    raw = kind < 0.34
    return counting(partition, number, chance.choice(PLAYERS), count=chance.randint(1, 1000), raw=raw)
