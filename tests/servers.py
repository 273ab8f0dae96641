"""Real servers for the tests: addresses in the environment, else Docker, else the local stack.

They are started once for a test session, on free ports and in a temporary folder, and none outlives it: containers are
testcontainers' to reap, local processes are killed by their watchdog even if the test run is killed with SIGKILL.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ops.local.servers import docker, kafka, mongod
from ops.local.servers.ports import LOOPBACK, choose_ports
from ops.local.servers.processes import Children, wait_until
from ops.local.servers.replica_set import make_primary
from ops.local.servers.source import Sources, choose_sources
from ops.local.servers.stack import ANY_PORTS, start_servers

KAFKA_VARIABLE = "TALLYMILL_TEST_KAFKA"
MONGODB_VARIABLE = "TALLYMILL_TEST_MONGODB"


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses of real servers: `host:port` of a Kafka broker, and a MongoDB connection string."""

    kafka: str
    mongodb: str


@contextmanager
def real_servers(folder: Path) -> Iterator[Servers]:
    """Servers for as long as the block lasts. `folder` is for the data of those that are started."""
    given = os.environ.get(KAFKA_VARIABLE), os.environ.get(MONGODB_VARIABLE)
    sources = choose_sources(*given, docker.engine_answers)
    with ExitStack() as stack:
        if "docker" in (sources.kafka, sources.mongodb):
            started = stack.enter_context(_containers(folder, sources))
        else:
            started = stack.enter_context(_local(folder, sources))
        yield Servers(kafka=given[0] or started.kafka, mongodb=given[1] or started.mongodb)


@contextmanager
def _local(folder: Path, sources: Sources) -> Iterator[Servers]:
    with Children(folder / "logs") as children:
        own = start_servers(children, folder, sources, ANY_PORTS)
        yield Servers(own.kafka_address or "", own.mongodb_uri or "")


@contextmanager
def _containers(folder: Path, sources: Sources) -> Iterator[Servers]:
    """The same servers in containers. Each listens on the same port inside and outside, on loopback."""
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 heavy, and of use with an engine only

    kafka_port, controller_port, mongodb_port = choose_ports(ANY_PORTS)
    place = kafka.KafkaPlace(folder, kafka_port, controller_port)
    database = mongod.MongodPlace(folder, mongodb_port)
    broker = DockerContainer(docker.KAFKA_IMAGE)
    broker.ports[f"{kafka_port}/tcp"] = (LOOPBACK, kafka_port)  # type: ignore[assignment]  # docker-py takes a pair
    for name, value in docker.kafka_environment(place).items():
        broker = broker.with_env(name, value)
    mongo = DockerContainer(docker.MONGODB_IMAGE)
    mongo.ports[f"{mongodb_port}/tcp"] = (LOOPBACK, mongodb_port)  # type: ignore[assignment]  # the same
    mongo = mongo.with_command(["mongod", "--bind_ip_all", *mongod.mongod_options(mongodb_port)])
    with ExitStack() as stack:
        if sources.kafka == "docker":
            stack.enter_context(broker)
            wait_until(lambda: kafka.answers(place.address), None, "Kafka in Docker", seconds=kafka.START_SECONDS)
        if sources.mongodb == "docker":
            stack.enter_context(mongo)
            primary = database.address
            wait_until(lambda: make_primary(primary), None, "MongoDB in Docker", seconds=mongod.START_SECONDS)
        yield Servers(place.address, database.uri)
