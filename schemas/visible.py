"""How long records took from their acceptance by Kafka until they were visible in MongoDB, as counts by bucket. Pure.

A checkpoint sums them up, so that whoever reads checkpoints knows the latency of all workers (docs/queries.md).
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping

# Upper bounds, around the promise: visible within 250 ms.
BOUNDS_MILLIS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000, 600_000)

# The name of a bucket is its bound. Slower ones are in this bucket.
SLOWER = "slower"
_NAMES = (*map(str, BOUNDS_MILLIS), SLOWER)


def visible_buckets(accepted_millis: Iterable[int], visible_millis: int) -> dict[str, int]:
    """The counts of a flush that became visible at this time. Records of one batch of Kafka's have one time."""
    counts: dict[str, int] = {}
    for accepted, records in Counter(accepted_millis).items():
        name = _NAMES[bisect_left(BOUNDS_MILLIS, visible_millis - accepted)]
        counts[name] = counts.get(name, 0) + records
    return counts


def quantile_seconds(counts: Mapping[str, int], quantile: float) -> float | None:
    """The quantile, taken as spread evenly within its bucket. None without records."""
    wanted = quantile * sum(counts.values())
    if wanted <= 0:
        return None
    low = below = 0
    for bound in BOUNDS_MILLIS:
        inside = counts.get(str(bound), 0)
        if inside and below + inside >= wanted:
            return (low + (bound - low) * (wanted - below) / inside) / 1000
        low, below = bound, below + inside
    return low / 1000
