"""The balance of one topic: accepted = applied + duplicate + refused + dead + gaps + in flight. Pure.

Read the checkpoints before the bounds of the log, so that no checkpoint is beyond its end.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.documents import FATES


@dataclass(frozen=True, slots=True)
class Balance:
    """One topic. Offsets without a record (`gaps`: Kafka's own control records) are accepted and never applied."""

    accepted: int = 0
    applied: int = 0
    duplicate: int = 0
    refused: int = 0
    dead: int = 0
    gaps: int = 0
    in_flight: int = 0

    @property
    def difference(self) -> int:
        """0 if every accepted record has a fate or is in flight. Negative if more was counted than the log holds."""
        fates = self.applied + self.duplicate + self.refused + self.dead
        return self.accepted - fates - self.gaps - self.in_flight

    @property
    def holds(self) -> bool:
        return self.difference == 0


def balance_of(checkpoints: Iterable[Mapping[str, Any]], bounds: Mapping[int, tuple[int, int]]) -> Balance:
    """The sums over all partitions; one without a checkpoint has everything in flight.

    `bounds`: the first offset of each log and the one after its last. A log that was cut below its checkpoint has
    nothing in flight, so the balance shows what is missing.
    """
    by_partition = {int(one["_id"].rpartition("/")[2]): one for one in checkpoints}
    found = [by_partition[number] for number in bounds if number in by_partition]
    starts = {n: by_partition[n]["start"] if n in by_partition else begin for n, (begin, _) in bounds.items()}
    applied_to = {n: by_partition[n]["next"] if n in by_partition else begin for n, (begin, _) in bounds.items()}
    fates = {fate: sum(one["fates"][fate] for one in found) for fate in FATES}
    return Balance(
        accepted=sum(end - starts[number] for number, (_, end) in bounds.items()),
        **fates,
        gaps=sum(one["gaps"] for one in found),
        in_flight=sum(max(0, end - applied_to[number]) for number, (_, end) in bounds.items()),
    )
