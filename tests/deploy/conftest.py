"""Prometheus for the tests of what it reads."""

import pytest

from ops.local.servers.prometheus import PrometheusFiles, fetch


@pytest.fixture(scope="session")
def programs() -> PrometheusFiles:
    """Downloaded if it is missing."""
    return fetch()
