"""Metrics of the hot path, put into Prometheus's form only when they are read.

Those of prometheus_client take a lock and some checks a call: 1 to 2 us, several times a request. These are changed by
one thread only, the event loop's.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class HotCounter(Collector):
    """A counter. With labels, one for each of their values that was counted."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str], registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._counts: Counter[tuple[str | int, ...]] = Counter() if labels else Counter({(): 0})
        registry.register(self)

    def inc(self, *values: str | int) -> None:
        """Count one. `values`: of the labels."""
        self._counts[values] += 1

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, count in self._counts.items():
            family.add_metric([str(value) for value in values], count)
        yield family


class HotHistogram(Collector):
    """A histogram, which also takes all values of a flush at once."""

    def __init__(self, name: str, documentation: str, buckets: Sequence[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = (*buckets, math.inf)
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0
        registry.register(self)

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def observe_all(self, values: Sequence[float]) -> None:
        counts, bounds = self._counts, self._bounds
        for value in values:
            counts[bisect_left(bounds, value)] += 1
        self._sum += sum(values)

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self._name, self._documentation)
        cumulative = zip(map(floatToGoString, self._bounds), accumulate(self._counts), strict=True)
        family.add_metric((), buckets=list(cumulative), sum_value=self._sum)
        yield family
