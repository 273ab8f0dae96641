"""What every process measures of itself: its version, memory, CPU, open files, Python, and the servers that it uses."""

import platform
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import Final, Literal

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


@cache
def _version() -> str:
    """Of tallymill. To parse its metadata takes as long as all metrics that a process has."""
    return version(DISTRIBUTION)


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
    ).labels(_version(), platform.python_version()).set(1)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(FAILURES)
    return registry


Dependency = Literal["kafka", "mongodb", "keys", "introspection"]
"""A server that a process uses. `keys`: the token issuer's key set; `introspection`: its endpoint instead."""


class DependencyMetrics:
    """Whether a process can use each of its servers."""

    def __init__(self, process: Literal["ingress", "worker", "console"], registry: CollectorRegistry) -> None:
        self._up = Gauge(
            f"tallymill_{process}_dependency_up",
            "1 if the process can use the server, 0 if not or not yet: kafka, mongodb, keys (the token issuer's key "
            "set), introspection (its endpoint instead). The log says why.",
            ("dependency",),
            registry=registry,
        )

    def watch(self, dependency: Dependency, is_up: Callable[[], bool]) -> None:
        """Read it at each scrape."""
        self._up.labels(dependency).set_function(is_up)
