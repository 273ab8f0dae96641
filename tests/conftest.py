"""What every test may use."""

from collections.abc import Iterator

import pytest

from tests.servers import Servers, real_servers

# A failed sum is to be told with its numbers, though it is no test module that asserts it.
pytest.register_assert_rewrite("tests.consumer.sums")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Real Kafka and MongoDB, one pair for the whole run: a test takes topics and a database of its own."""
    with real_servers(tmp_path_factory.mktemp("servers")) as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that takes the real servers is marked so, and so `-m "not real"` are the fast ones."""
    for item in items:
        if "servers" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.real)
