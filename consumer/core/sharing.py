"""Which member of the group owns which partition.

1. Every partition has exactly one owner.
2. No member owns more than one partition more than another.
3. As few partitions as possible change their owner.
4. The same claims give the same shares, whichever member computes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """What a member holds when it joins, and the generation of the group that gave it."""

    generation: int = -1
    partitions: frozenset[int] = frozenset()


def share_out(claims: Mapping[str, Claim], partitions: int) -> dict[str, frozenset[int]]:
    """The partitions of each member, of a topic with `partitions` of them."""
    if not claims:
        return {}
    held = _held(claims, partitions)
    # The members that hold most get one more, if partitions can't be divided evenly: then the fewest move.
    least, odd = divmod(partitions, len(held))
    ordered = sorted(held, key=lambda member: (-len(held[member]), member))
    sizes = {member: least + (place < odd) for place, member in enumerate(ordered)}
    shares = {member: set(sorted(held[member])[: sizes[member]]) for member in claims}
    free = iter(sorted(set(range(partitions)).difference(*shares.values())))
    for member in sorted(shares):
        missing = sizes[member] - len(shares[member])
        shares[member].update(next(free) for _ in range(missing))
    return {member: frozenset(share) for member, share in shares.items()}


def _held(claims: Mapping[str, Claim], partitions: int) -> dict[str, set[int]]:
    """What each member holds. Of two that claim a partition, the one with the newer generation holds it."""
    owners: dict[int, str] = {}
    for member in sorted(claims, key=lambda name: (claims[name].generation, name)):
        owners |= dict.fromkeys(claims[member].partitions, member)
    held: dict[str, set[int]] = {member: set() for member in claims}
    for partition, member in owners.items():
        if 0 <= partition < partitions:
            held[member].add(partition)
    return held
