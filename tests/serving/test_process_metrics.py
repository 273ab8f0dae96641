"""What every process exposes of itself."""

import platform
from importlib.metadata import version

import pytest
from prometheus_client import CollectorRegistry

from console.metrics import Metrics as ConsoleMetrics
from consumer.metrics import WorkerMetrics
from ingress.http.metrics import Metrics as IngressMetrics
from serving.http.connection_metrics import ConnectionMetrics
from serving.http.connections import CAUSES
from serving.process_metrics import DependencyMetrics


@pytest.mark.parametrize("made", [IngressMetrics, WorkerMetrics, ConsoleMetrics])
def test_every_process_says_its_version_and_what_it_uses(
    made: type[IngressMetrics | WorkerMetrics | ConsoleMetrics],
) -> None:
    """By the names that dashboards of other programs use."""
    registry = made().registry
    labels = {"version": version("tallymill"), "python": platform.python_version()}
    assert 1 == registry.get_sample_value("tallymill_build_info", labels)
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"):
        assert (registry.get_sample_value(name) or 0) > 0
    assert registry.get_sample_value("python_gc_collections_total", {"generation": "2"}) is not None


@pytest.mark.parametrize("per_address", [None, 5])
def test_a_limit_that_a_process_does_not_have_closes_no_connection(per_address: int | None) -> None:
    """So it has no series."""
    registry = CollectorRegistry()
    ConnectionMetrics("worker", registry).bounded(100, per_address)
    name = "tallymill_worker_connections_closed_total"
    shown = {cause for cause in CAUSES if registry.get_sample_value(name, {"cause": cause}) == 0}
    assert set(CAUSES) - ({"address"} if per_address is None else set()) == shown


def test_a_server_is_asked_for_at_each_scrape() -> None:
    registry, up = CollectorRegistry(), [False]
    DependencyMetrics("worker", registry).watch("kafka", lambda: up[0])
    found = []
    for up[0] in (False, True, False):
        found.append(registry.get_sample_value("tallymill_worker_dependency_up", {"dependency": "kafka"}))
    assert [0, 1, 0] == found
