"""Three Kafka brokers and a separate controller. Brokers can be killed, frozen and started again.

The time-outs are Kafka's own defaults, as in production: a broker that is silent for nine seconds loses its leaders.
"""

import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from ops.local.servers.fetch import kafka_files
from ops.local.servers.kafka import (
    FORMAT_SECONDS,
    START_SECONDS,
    KafkaPlace,
    answers,
    format_command,
    kafka_program,
    new_cluster_id,
)
from ops.local.servers.paths import KafkaFiles
from ops.local.servers.ports import LOOPBACK, choose_ports
from ops.local.servers.processes import Child, Children, Program, wait_until
from tests.frozen import freeze, thaw

BROKERS = 3
CONTROLLER_ID = 100
HEAP = "-Xmx256m"

# A broker hands its leaders over before it ends: three times as long as the local one, which is alone.
STOP_SECONDS = 30

_COMMON = """\
controller.quorum.voters={controller_id}@{host}:{controller_port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={log_dir}
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.dedupe.buffer.size=16777216
"""
_CONTROLLER = """\
process.roles=controller
node.id={controller_id}
listeners=CONTROLLER://{host}:{controller_port}
"""
_BROKER = """\
process.roles=broker
node.id={number}
listeners=CLIENT://{host}:{port}
advertised.listeners=CLIENT://{host}:{port}
inter.broker.listener.name=CLIENT
auto.create.topics.enable=false
min.insync.replicas=2
default.replication.factor=3
offsets.topic.replication.factor=3
offsets.topic.num.partitions=6
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
message.max.bytes=9437184
replica.fetch.max.bytes=9437184
"""


@dataclass(slots=True)
class Broker:
    number: int
    place: KafkaPlace
    program: Program
    child: Child | None = None

    @property
    def pid(self) -> int:
        assert self.child, f"{self.program.name} does not run"
        return self.child.pid


class Brokers:
    """Started with `start`; the processes are their Children's to end."""

    def __init__(self, children: Children, controller: Child, members: list[Broker]) -> None:
        self._children = children
        self.controller = controller
        self.members = members

    @classmethod
    def start(cls, children: Children, folder: Path) -> "Brokers":
        """Returns when every broker answers."""
        files = kafka_files()
        controller_port, *ports = choose_ports([0] * (BROKERS + 1))
        places = [KafkaPlace(folder / f"kafka-{n}", port, controller_port) for n, port in enumerate(ports, 1)]
        controller = KafkaPlace(folder / "controller", 0, controller_port)
        _write_properties(controller, _CONTROLLER)
        for number, place in enumerate(places, 1):
            _write_properties(place, _BROKER, number)
        _format(files, [controller, *places])
        started = children.start(replace(kafka_program(files, controller, HEAP), name="controller"))
        members = [
            Broker(n, place, replace(kafka_program(files, place, HEAP), name=f"kafka-{n}", stop_seconds=STOP_SECONDS))
            for n, place in enumerate(places, 1)
        ]
        made = cls(children, started, members)
        for member in members:
            made.start_again(member)
        made.wait()
        return made

    @property
    def bootstrap(self) -> str:
        """Addresses of all, as the settings name them."""
        return ",".join(member.place.address for member in self.members)

    def kill(self, member: Broker) -> None:
        """SIGKILL."""
        if member.child:
            self._children.forget(member.child)
            member.child = None

    def stop(self, member: Broker) -> None:
        """SIGTERM, and the time it takes to hand its leaders over."""
        if member.child:
            self._children.stop([member.child])
            member.child = None

    def start_again(self, member: Broker) -> None:
        if member.child is None:
            member.child = self._children.start(member.program)

    def wait(self, members: Iterable[Broker] | None = None) -> None:
        """Until these, or all, answer."""
        for member in members or self.members:
            address = member.place.address
            wait_until(lambda at=address: answers(at), member.child, member.program.name, seconds=2 * START_SECONDS)  # type: ignore[misc]

    def freeze(self, member: Broker) -> None:
        freeze(member.pid)

    def thaw(self, member: Broker) -> None:
        thaw(member.pid)

    def mend(self) -> None:
        """Thaw and start whatever needs it; returns when all answer."""
        for member in self.members:
            if member.child:
                thaw(member.pid)
            self.start_again(member)
        self.wait()


async def in_sync(bootstrap: str, topics: Sequence[str]) -> bool:
    """Whether every replica of these topics is in sync."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5_000)
    try:
        await admin.start()
        described = await admin.describe_topics(list(topics))
    except KafkaError:
        return False
    finally:
        await admin.close()
    partitions = [partition for topic in described for partition in topic["partitions"]]
    return bool(partitions) and all(set(one["isr"]) == set(one["replicas"]) for one in partitions)


def _write_properties(place: KafkaPlace, own: str, number: int = 0) -> None:
    place.home.mkdir(parents=True)
    text = (own + _COMMON).format(
        host=LOOPBACK,
        controller_id=CONTROLLER_ID,
        controller_port=place.controller_port,
        port=place.port,
        number=number,
        log_dir=place.log_dir,
    )
    place.properties.write_text(text)


def _format(files: KafkaFiles, places: list[KafkaPlace]) -> None:
    """Format the storage of all, two at a time: each starts a JVM."""
    cluster_id = new_cluster_id()

    def run(place: KafkaPlace) -> "subprocess.CompletedProcess[str]":
        command = format_command(files, place, cluster_id)
        return subprocess.run(command, capture_output=True, text=True, timeout=2 * FORMAT_SECONDS, check=False)

    with ThreadPoolExecutor(2) as pool:
        for ran in pool.map(run, places):
            assert 0 == ran.returncode, ran.stdout + ran.stderr
