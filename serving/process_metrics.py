"""What every process measures of itself: its version, memory, CPU, open files and Python's garbage collector."""

import platform
from importlib.metadata import version
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from serving.failures import FAILURES

DISTRIBUTION: Final = "tallymill"


def process_registry() -> CollectorRegistry:
    """A registry with the metrics that all processes have. Each process adds its own."""
    # The time at which a series was made doubles the series of each counter and histogram, and no one asks for it.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types
    registry = CollectorRegistry()
    Gauge(
        "tallymill_build_info",
        "1. Its labels are the versions of tallymill and Python.",
        ("version", "python"),
        registry=registry,
    ).labels(version(DISTRIBUTION), platform.python_version()).set(1)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(FAILURES)
    return registry
