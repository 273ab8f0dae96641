"""Metrics of the hot path, put into Prometheus's form only when they are read.

Those of prometheus_client take a lock and some checks a call: 1 to 2 us, several times a request. These are changed by
one thread only, the event loop's.
"""

import math
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

# Around the promise: an ack takes milliseconds, a visible count tens of them, and every deadline is below 10 s.
SECONDS_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# OpenMetrics allows an exemplar's label names and values 128 characters together.
MAX_EXEMPLAR_CHARACTERS: Final = 128
EXEMPLAR_LABEL: Final = "record"


class HotCounter(Collector):
    """A counter. With labels, one for each of their values that was counted."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str], registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self.label_names = tuple(labels)
        self._counts: Counter[tuple[str | int, ...]] = Counter() if labels else Counter({(): 0})
        registry.register(self)

    def inc(self, *values: str | int) -> None:
        """Count one. `values`: of the labels."""
        self._counts[values] += 1

    def declare(self, *values: str) -> None:
        """Show this series before it has counted."""
        self._counts[values] += 0

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(self._name, self._documentation, labels=self.label_names)
        for values, count in self._counts.items():
            family.add_metric([str(value) for value in values], count)
        yield family


class HotSeries:
    """One series of a histogram. It also takes all values of a flush at once.

    `counts`: by bucket, not cumulative. `total`: the sum of all values.
    """

    __slots__ = ("_bounds", "_exemplars", "_now", "counts", "total")

    def __init__(self, bounds: Sequence[float], now: Callable[[], float]) -> None:
        self._bounds = bounds
        self.counts = [0] * len(bounds)
        self.total = 0.0
        self._exemplars: list[tuple[object, float, float] | None] = [None] * len(bounds)
        self._now = now

    def observe(self, value: float, record: object = None) -> None:
        """`record`: the coordinates of the record that it was measured with. Written as text only when it is read."""
        bucket = bisect_left(self._bounds, value)
        self.counts[bucket] += 1
        self.total += value
        if record is not None:
            self._exemplars[bucket] = (record, value, self._now())

    def observe_all(self, values: Sequence[float]) -> None:
        counts, bounds = self.counts, self._bounds
        for value in values:
            counts[bisect_left(bounds, value)] += 1
        self.total += sum(values)

    def with_all_of(self, other: "HotSeries") -> "HotSeries":
        """What both have observed, without exemplars. Both have the same bounds."""
        both = HotSeries(self._bounds, self._now)
        both.counts = [one + more for one, more in zip(self.counts, other.counts, strict=True)]
        both.total = self.total + other.total
        return both

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Add what was observed to the family, in its form."""
        buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
        for bound, count, seen in zip(
            map(str, map(floatToGoString, self._bounds)), accumulate(self.counts), self._exemplars, strict=True
        ):
            exemplar = _exemplar(seen)
            buckets.append((bound, count, exemplar) if exemplar else (bound, count))
        family.add_metric(labels, buckets=buckets, sum_value=self.total)


class HotHistogram(Collector):
    """A histogram. With labels, one series for each of their values that was asked for."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        registry: CollectorRegistry,
        buckets: Sequence[float] = SECONDS_BUCKETS,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self.label_names = tuple(labels)
        self._bounds = (*buckets, math.inf)
        self._series: dict[tuple[str, ...], HotSeries] = {}
        registry.register(self)

    def of(self, *values: str) -> HotSeries:
        """The series of these values of the labels."""
        if (series := self._series.get(values)) is None:
            series = self._series[values] = HotSeries(self._bounds, time.time)
        return series

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=self.label_names)
        for values, series in self._series.items():
            series.add_to(family, values)
        yield family


class HotAnswers(Collector):
    """Two metrics of answers in one step: how many by route and status code, how long by route and class of status."""

    def __init__(self, counter: tuple[str, str], histogram: tuple[str, str], registry: CollectorRegistry) -> None:
        """`counter`, `histogram`: name and documentation."""
        self._counter = counter
        self._histogram = histogram
        self._bounds = (*SECONDS_BUCKETS, math.inf)
        self._series: dict[tuple[str, int], HotSeries] = {}
        registry.register(self)

    def answered(self, route: str, code: int, seconds: float) -> None:
        series = self._series.get((route, code))
        if series is None:
            series = self._series[route, code] = HotSeries(self._bounds, time.time)
        series.observe(seconds)

    def collect(self) -> Iterable[Metric]:
        counter = CounterMetricFamily(*self._counter, labels=("route", "code"))
        histogram = HistogramMetricFamily(*self._histogram, labels=("route", "status"))
        by_class: dict[tuple[str, str], HotSeries] = {}
        for (route, code), series in self._series.items():
            counter.add_metric((route, str(code)), sum(series.counts))
            key = (route, f"{code // 100}xx")
            by_class[key] = by_class[key].with_all_of(series) if key in by_class else series
        for labels, series in by_class.items():
            series.add_to(histogram, labels)
        yield counter
        yield histogram


def _exemplar(seen: tuple[object, float, float] | None) -> Exemplar | None:
    if seen is None:
        return None
    record, value, at_seconds = seen
    text = str(record)
    if len(EXEMPLAR_LABEL) + len(text) > MAX_EXEMPLAR_CHARACTERS:
        return None
    return Exemplar({EXEMPLAR_LABEL: text}, value, at_seconds)
