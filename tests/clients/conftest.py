"""One system for all tests of this folder. Each test uses its own players."""

from collections.abc import Iterator

import pytest

from ops.local.servers.ports import LOOPBACK, any_free
from ops.local.servers.processes import Children
from tests.clients.running import System, start_ingress
from tests.clients.running import system as running_system
from tests.clients.unlucky import Unlucky, unlucky_proxy
from tests.servers import Servers


@pytest.fixture(scope="package")
def system(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running_system(servers, tmp_path_factory.mktemp("clients")) as one:
        yield one


@pytest.fixture(scope="package")
def without_kafka(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An ingress whose Kafka address has no listener."""
    folder = tmp_path_factory.mktemp("without-kafka")
    with Children(folder / "logs") as children:
        nobody = {"bootstrap_servers": f"{LOOPBACK}:{any_free()}"}
        yield start_ingress(children, system.settings, folder, kafka=nobody)


@pytest.fixture
def unlucky(system: System) -> Iterator[Unlucky]:
    """A way to the ingress on which requests meet faults."""
    with unlucky_proxy(system.url) as proxy:
        yield proxy
