"""What every test may use."""

import asyncio
import gc
import os
import signal
import socket
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from pymongo import pool_shared

from serving import failures
from serving.kafka import denied as kafka_denied
from serving.mongodb import denied
from serving.seldom import Seldom
from tests.examples import examples
from tests.servers import Servers, real_servers

# Collecting makes millions of objects and frees none. The garbage collector would walk through them again and again.
gc.disable()

# A shell starts a background job with SIGINT ignored, and every process that a test starts would inherit this.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A failed sum is shown with its numbers, although the assertion is in a helper module.
pytest.register_assert_rewrite("tests.consumer.sums")

# How quick a machine is decides nothing here, and no run draws examples that the one before did not: what a run covers
# is the same each time. `make fuzz` draws others, by its seed.
settings.register_profile(
    "tests",
    max_examples=examples(),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    database=None,
)
settings.load_profile("tests")


@pytest.fixture(autouse=True)
def no_failure_said_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process writes a kind of failure once a minute; a test sees none of those that the tests before it saw."""
    monkeypatch.setattr(failures, "_seldom", Seldom())
    monkeypatch.setattr(denied, "_seldom", Seldom())
    monkeypatch.setattr(kafka_denied, "_seldom", Seldom())


@pytest.fixture(scope="session", autouse=True)
def sockets_of_cancelled_connections() -> Iterator[None]:
    """Close them. pymongo leaves a socket to the garbage collector if its client is closed while it connects.

    Its ResourceWarning would fail whichever test runs when the collector finds it.
    """
    connect = pool_shared._async_create_connection

    async def closing(address: Any, options: Any) -> socket.socket:  # noqa: ANN401 pymongo's own
        try:
            return await connect(address, options)
        except asyncio.CancelledError as cancelled:
            for frame, _ in traceback.walk_tb(cancelled.__traceback__):
                if isinstance(found := frame.f_locals.get("sock"), socket.socket):
                    found.close()
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool_shared, "_async_create_connection", closing)
        yield


# The property of a test that is printed at the end of the run, whether it passes or fails.
REPORT = "report"


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Real Kafka and MongoDB, one pair for the whole run. Each test uses its own topics and database."""
    with real_servers(tmp_path_factory.mktemp("servers")) as running:
        yield running


# Of the folders with the longest tests, in this order.
LONGEST: Final = ("soak", "faults", "clients", "end_to_end")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that takes the real servers is marked so, and so `-m "not real"` are the fast ones.

    So is a fault of the whole cluster: an `-m` of the command line takes the place of the one in pyproject.toml.

    Long files run first and fast ones last. Otherwise one of two processes has nothing to do in the end, while the
    other one runs a long file.
    """
    for item in items:
        if "servers" in getattr(item, "fixturenames", ()) or item.get_closest_marker("faults"):
            item.add_marker(pytest.mark.real)
    long = {item.path for item in items if item.get_closest_marker("real") or item.get_closest_marker("slow")}
    items.sort(key=lambda item: _turn(item.path, is_long=item.path in long))


def _turn(file: Path, *, is_long: bool) -> int:
    """A small number for a file that runs early."""
    folder = file.relative_to(Path(__file__).parent).parts[0]
    return LONGEST.index(folder) if folder in LONGEST else len(LONGEST) + (not is_long)


def pytest_collection_finish() -> None:
    """Tests make garbage. The collector skips the collected tests themselves."""
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests have recorded, which no assertion checks."""
    for outcome in ("passed", "failed"):
        for test in terminalreporter.getreports(outcome):
            for text in (text for name, text in test.user_properties if name == REPORT):
                terminalreporter.write_sep("-", test.nodeid)
                terminalreporter.write_line(str(text))
