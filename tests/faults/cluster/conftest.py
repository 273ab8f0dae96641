"""The cluster: three brokers, a controller, three mongods, started once for all faults of a run."""

from collections.abc import Callable, Generator, Iterator, Sequence

import pytest

from ops.local.servers.processes import Children
from tests.conftest import REPORT
from tests.faults.cluster.report.table import row_of, write_row
from tests.faults.cluster.stage.brokers import Brokers
from tests.faults.cluster.stage.scene import Cluster, Outcome, Tell, problems, wrong_sums
from tests.faults.replica_set import Advised, ReplicaSet

# What is measured is what operators get: MongoDB with what docs/deployment.md advises. With its defaults alone a
# frozen primary costs 20 s and more: the next one waits for its heartbeat, or the other member for its oplog.
ELECTION_MILLIS = 10_000
HEARTBEAT_MILLIS = 2_000
ADVISED = Advised({"heartbeatTimeoutSecs": 5, "catchUpTimeoutMillis": 2_000}, {"oplogNetworkTimeoutBufferSeconds": 2})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A fault that was not tried was not survived: here a skip is a failure."""
    report = yield
    if report.skipped:
        report.outcome, report.longrepr = "failed", f"skipped: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Each test leaves it whole (tests/faults/cluster/stage/scene.py, `mend`)."""
    folder = tmp_path_factory.mktemp("cluster")
    with Children(folder / "logs") as children:
        replica_set = ReplicaSet.start(children, folder, ELECTION_MILLIS, HEARTBEAT_MILLIS, ADVISED)
        brokers = Brokers.start(children, folder)
        yield Cluster(brokers, replica_set)
        children.kill_all()


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """The end of a test: write its row, pass or fail, and fail with every problem at once."""

    def verdict(
        fault: str, outcome: Outcome, more: Sequence[str] = (), *, sums: bool = False, **goals: float | None
    ) -> None:
        found = [*more, *(wrong_sums(outcome.verdict) if sums else problems(outcome, **goals))]
        row = row_of(fault, outcome, found)
        write_row(row)
        record_property(REPORT, "\n".join([row.text(), *found]))
        assert [] == found

    return verdict
