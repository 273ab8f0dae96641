"""The metric that tells a stop for max_dead_ratio from other stops."""

import pytest
from prometheus_client import CollectorRegistry

from console.observer.metrics import TOO_MANY_DEAD, SystemMetrics
from console.observer.snapshot import PartitionNow, Snapshot, TopicNow
from consumer.ports import TooManyDead


@pytest.mark.parametrize(
    ("stopped", "expected"),
    [("TooManyDead: offsets 1 to 2: 2 records", 1.0), ("LogDamaged: the batch", 0.0), (None, 0.0)],
)
def test_a_stop_for_max_dead_ratio_is_told_from_others(stopped: str | None, expected: float) -> None:
    """By the first word of the worker's reason, which names the exception."""
    assert f"{TooManyDead.__name__}:" == TOO_MANY_DEAD
    topic = TopicNow("games", "", partitions=(PartitionNow(3, next=1, stopped=stopped),))
    registry = CollectorRegistry()
    registry.register(SystemMetrics(lambda: Snapshot(0, "well", 0, topics=(topic,))))
    name, labels = "tallymill_partition_stopped_for_dead_ratio", {"api": "games", "partition": "3"}
    assert expected == registry.get_sample_value(name, labels)
