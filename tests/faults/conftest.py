"""Servers of the fault schedules: a replica set of three and one Kafka, for the whole run."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ops.local.servers import kafka
from ops.local.servers.fetch import kafka_files
from ops.local.servers.ports import choose_ports
from ops.local.servers.processes import Children
from ops.local.servers.stack import wait_for_kafka
from tests.faults.replica_set import ReplicaSet
from tests.servers import Servers

# Without our prefix: the workers would take them for settings, and refuse.
SCHEDULES_VARIABLE = "FAULT_SCHEDULES"
FIRST_VARIABLE = "FAULT_FIRST"
SCHEDULES = 10

# The broker's least session is six seconds; workers that die all the time should not be waited for as long.
SHORT_SESSIONS = "group.min.session.timeout.ms=1000\n"


@dataclass(frozen=True, slots=True)
class FaultyServers:
    servers: Servers
    replica_set: ReplicaSet


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyServers]:
    """Started once; each schedule leaves the set whole."""
    folder = tmp_path_factory.mktemp("faults")
    files = kafka_files()
    place = kafka.KafkaPlace(folder / "kafka", *choose_ports((0, 0)))
    with Children(folder / "logs") as children:
        kafka.prepare(files, place)
        place.properties.write_text(place.properties.read_text() + SHORT_SESSIONS)
        broker = children.start(kafka.kafka_program(files, place))
        replica_set = ReplicaSet.start(children, folder)
        wait_for_kafka(place.address, broker, None)
        yield FaultyServers(Servers(kafka=place.address, mongodb=replica_set.uri), replica_set)
        children.kill_all()  # a member asked to end waits fifteen seconds for others to take over


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a seed. The environment sets how many."""
    if "seed" in metafunc.fixturenames:
        first = int(os.environ.get(FIRST_VARIABLE, "0"))
        metafunc.parametrize("seed", range(first, first + int(os.environ.get(SCHEDULES_VARIABLE, SCHEDULES))))
