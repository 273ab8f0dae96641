"""How long records took from their acceptance by Kafka until they were visible in MongoDB, as counts by bucket. Pure.

A checkpoint sums them up, so that whoever reads checkpoints knows the latency of all workers (docs/queries.md).
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

# Upper bounds, around the promise: visible within 250 ms.
BOUNDS_MILLIS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000, 600_000)

# The name of a bucket is its bound. Slower ones are in this bucket.
SLOWER = "slower"

R = TypeVar("R")


def visible_buckets(records: Sequence[R], accepted_millis: Callable[[R], int], visible_millis: int) -> dict[str, int]:
    """The counts of records that became visible at this time. They are in the order in which Kafka accepted them.

    So each bucket is a slice of them: this takes some 20 us, however many there are. Where a new leader's clock was
    behind, a few may be in the wrong bucket, and each is in one.
    """
    counts: dict[str, int] = {}
    upto = len(records)
    for bound in BOUNDS_MILLIS:
        older = min(upto, bisect_left(records, visible_millis - bound, key=accepted_millis))
        if older < upto:
            counts[str(bound)] = upto - older
        upto = older
        if not upto:
            return counts
    return counts | {SLOWER: upto}


def quantile_seconds(counts: Mapping[str, int], quantile: float) -> float | None:
    """The quantile, taken as spread evenly within its bucket. None without records."""
    wanted = quantile * sum(counts.values())
    if wanted <= 0:
        return None
    low = below = 0
    for bound in BOUNDS_MILLIS:
        inside = counts.get(str(bound), 0)
        if inside and below + inside >= wanted:
            return round((low + (bound - low) * (wanted - below) / inside) / 1000, 4)
        low, below = bound, below + inside
    return low / 1000
