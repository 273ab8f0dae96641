"""Starts Kafka and MongoDB side by side, as children."""

from dataclasses import dataclass
from pathlib import Path
from threading import Event

from ops.local.servers import docker, kafka, mongod
from ops.local.servers.fetch import kafka_files, mongod_file
from ops.local.servers.ports import choose_ports
from ops.local.servers.processes import Child, Children, wait_until
from ops.local.servers.replica_set import make_primary
from ops.local.servers.source import Source, Sources
from ops.private_file import private_folder

USUAL_PORTS = (kafka.USUAL_PORT, kafka.USUAL_CONTROLLER_PORT, mongod.USUAL_PORT)
ANY_PORTS = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class OwnServers:
    """The servers that were started. None: the settings give its address."""

    kafka: Child | None
    kafka_address: str | None
    mongodb: Child | None
    mongodb_uri: str | None


def start_servers(
    children: Children, data: Path, sources: Sources, ports: tuple[int, ...] = USUAL_PORTS, stop: Event | None = None
) -> OwnServers:
    """Start the servers that the settings don't give, and return when they can be used.

    MongoDB is started first and waited for last: it starts while Kafka formats its storage.
    Raises FetchError, NotReadyError, StoppedError.
    """
    kafka_port, controller_port, mongodb_port = choose_ports(ports)
    kafka_place = kafka.KafkaPlace((data / "kafka").resolve(), kafka_port, controller_port)
    mongod_place = mongod.MongodPlace((data / "mongodb").resolve(), mongodb_port)
    mongodb_child = _start_mongod(children, mongod_place, sources.mongodb)
    kafka_child = _start_kafka(children, kafka_place, sources.kafka)
    if kafka_child:
        wait_for_kafka(kafka_place.address, kafka_child, stop)
    if mongodb_child:
        wait_for_mongod(mongod_place.address, mongodb_child, stop)
    return OwnServers(
        kafka=kafka_child,
        kafka_address=kafka_place.address if kafka_child else None,
        mongodb=mongodb_child,
        mongodb_uri=mongod_place.uri if mongodb_child else None,
    )


def wait_for_kafka(address: str, child: Child, stop: Event | None) -> None:
    wait_until(lambda: kafka.answers(address), child, f"Kafka at {address}", seconds=kafka.START_SECONDS, stop=stop)


def wait_for_mongod(address: str, child: Child, stop: Event | None) -> None:
    what = f"MongoDB at {address}"
    wait_until(lambda: make_primary(address), child, what, seconds=mongod.START_SECONDS, stop=stop)


def _start_kafka(children: Children, place: kafka.KafkaPlace, source: Source) -> Child | None:
    if source == "settings":
        return None
    if source == "docker":
        docker.prepare(docker.KAFKA_IMAGE, docker.container_name("kafka", place.home))
        return children.start(docker.kafka_program(place))
    files = kafka_files()
    kafka.prepare(files, place)
    return children.start(kafka.kafka_program(files, place))


def _start_mongod(children: Children, place: mongod.MongodPlace, source: Source) -> Child | None:
    if source == "settings":
        return None
    if source == "docker":
        docker.prepare(docker.MONGODB_IMAGE, docker.container_name("mongodb", place.home))
        return children.start(docker.mongod_program(place))
    program = mongod.mongod_program(mongod_file(), place)
    private_folder(place.home)
    return children.start(program)
