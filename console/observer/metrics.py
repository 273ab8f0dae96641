"""The metrics of the whole system, written from the snapshot at each scrape. An unknown number has no sample.

So an alert can tell "not known" from "0", and lag does not vanish with the worker that had the partition.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from console.observer.snapshot import PartitionNow, Snapshot, TopicNow

_PARTITION: Final = ("api", "partition")

# How a worker's reason begins (consumer/flusher.py, docs/operations.md#a-partition-stops-for-max_dead_ratio).
TOO_MANY_DEAD: Final = "TooManyDead:"


def _seconds(millis: int | None) -> float | None:
    return None if millis is None else millis / 1000


_OF_PARTITIONS: Final[dict[str, tuple[str, Callable[[PartitionNow], float | None]]]] = {
    "lag_records": ("Records of a partition that are accepted and not counted.", lambda one: one.lag_records),
    "lag_seconds": (
        "Age of the oldest record of a partition that is accepted and not counted; 0 if none waits.",
        lambda one: one.lag_seconds,
    ),
    "owned": ("1 if the consumer group has given the partition to a worker.", lambda one: one.owned),
    "stopped": (
        "1 if the partition is stopped until an operator acts.",
        lambda one: None if one.next is None else one.stopped is not None,
    ),
    "stopped_for_dead_ratio": (
        "1 if it is stopped because more than worker.max_dead_ratio of its records can't be read.",
        lambda one: None if one.next is None else (one.stopped or "").startswith(TOO_MANY_DEAD),
    ),
    "last_flush_timestamp_seconds": (
        "Time of the last flush of a partition. Absent before the first.",
        lambda one: _seconds(one.last_flush_millis),
    ),
}

_FATES: Final[dict[str, Callable[[TopicNow], int | None]]] = {
    "accepted": lambda one: one.accepted,
    "applied": lambda one: one.applied,
    "duplicate": lambda one: one.duplicate,
    "refused": lambda one: one.refused,
    "dead": lambda one: one.dead,
    "gaps": lambda one: one.gaps,
    "in_flight": lambda one: one.in_flight,
}


class SystemMetrics(Collector):
    """Reads the last snapshot."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that the registry doesn't collect at once: there may be no snapshot yet."""
        return ()

    def collect(self) -> Iterator[Metric]:
        snapshot = self._snapshot()
        for name, (meaning, value) in _OF_PARTITIONS.items():
            yield _of_partitions(f"tallymill_partition_{name}", meaning, snapshot, value)
        yield _of_partitions(
            "tallymill_retention_headroom_seconds",
            "Seconds until Kafka removes the oldest record of a partition that is not counted.",
            snapshot,
            lambda one: one.headroom_seconds,
        )
        yield _batches(snapshot)
        yield _of_topics(
            "tallymill_balance_difference",
            "accepted - applied - duplicate - refused - dead - gaps - in flight: 0, or counts are wrong.",
            snapshot,
            lambda one: one.difference,
        )
        yield _of_topics(
            "tallymill_dead_letters_open",
            "Dead letters that were not produced again.",
            snapshot,
            lambda one: one.dead_letters_open,
        )
        yield from _times(snapshot)


def _batches(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "tallymill_batches",
        "Records of the present lineage of a topic, by fate. accepted is the sum of the others.",
        labels=("api", "fate"),
    )
    for topic in snapshot.topics:
        for fate, count in _FATES.items():
            if (found := count(topic)) is not None:
                family.add_metric((topic.api, fate), found)
    return family


def _of_topics(name: str, meaning: str, snapshot: Snapshot, value: Callable[[TopicNow], float | None]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=("api",))
    for topic in snapshot.topics:
        if (found := value(topic)) is not None:
            family.add_metric((topic.api,), found)
    return family


def _of_partitions(
    name: str, meaning: str, snapshot: Snapshot, value: Callable[[PartitionNow], float | None]
) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=_PARTITION)
    for topic in snapshot.topics:
        for one in topic.partitions:
            if (found := value(one)) is not None:
                family.add_metric((topic.api, str(one.partition)), found)
    return family


def _times(snapshot: Snapshot) -> Iterator[Metric]:
    verified = GaugeMetricFamily(
        "tallymill_verify_last_success_timestamp_seconds",
        "Time of the last `tallymill verify`, if it found every record counted exactly once. Absent after a failure.",
    )
    if snapshot.last_verify and snapshot.last_verify.ok:
        verified.add_metric((), snapshot.last_verify.at_millis / 1000)
    yield verified
    observed = GaugeMetricFamily(
        "tallymill_observed_timestamp_seconds", "Time of the last step of the observer, which these numbers are of."
    )
    observed.add_metric((), snapshot.as_of_millis / 1000)
    yield observed
