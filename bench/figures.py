"""The figures of a run: every subject is measured once a round, and a figure is the median over the rounds.

The machine's speed changes from minute to minute. So the rounds are interleaved: each measures all subjects, one after
the other, and what is compared was measured in the same run. The spread is the smallest and the largest round.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

ROUNDS = 3

Round = Mapping[str, float]
"""What one round measured of one subject, by the field's name. A field may be missing."""
Measured = Mapping[str, Sequence[Round]]
"""The rounds of each subject, in order."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure over all rounds."""

    median: float
    lowest: float
    highest: float


async def interleaved(
    subjects: Sequence[str], rounds: int, measure: Callable[[str, int], Awaitable[Round]]
) -> Measured:
    """Measure every subject once in each round. `measure` gets a subject and the number of the round."""
    measured: dict[str, list[Round]] = {subject: [] for subject in subjects}
    for number in range(rounds):
        for subject in subjects:
            measured[subject].append(await measure(subject, number))
    return measured


def figure(measured: Measured, field: str, subject: str) -> Figure | None:
    """The median of a field, and its spread. None if it was not measured."""
    values = [one[field] for one in measured.get(subject, ()) if field in one]
    return Figure(median(values), min(values), max(values)) if values else None


def ratio(measured: Measured, field: str, subject: str, against: str) -> Figure | None:
    """The ratio of two subjects' medians. Its spread is that of the ratios round by round.

    None if one of them was not measured, or was too short to measure: CPU time has a resolution of 10 ms.
    """
    ours, theirs = figure(measured, field, subject), figure(measured, field, against)
    if ours is None or theirs is None or theirs.lowest == 0:
        return None
    pairs = zip(measured[subject], measured[against], strict=False)
    ratios = [one[field] / other[field] for one, other in pairs if field in one and field in other]
    return Figure(ours.median / theirs.median, min(ratios), max(ratios))
