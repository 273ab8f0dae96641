"""Separate brokers for one test, with any listeners and settings. They can be frozen, stopped and moved."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ops.local.servers import kafka
from ops.local.servers.fetch import kafka_files
from ops.local.servers.ports import LOOPBACK, any_free
from ops.local.servers.processes import Child, Children
from ops.local.servers.stack import wait_for_kafka

CONTROLLER_ID = 100

SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")

# What is the same for a broker alone and for one of several. Short sessions: a killed or frozen broker is noticed soon.
COMMON = {
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "INSIDE",
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "4",
    "auto.create.topics.enable": "false",
    "message.max.bytes": "9437184",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": "16777216",
}


@dataclass
class Broker:
    """One broker; `ports`: of each of its listeners. INSIDE is PLAINTEXT."""

    children: Children
    home: Path
    identity: int
    ports: dict[str, int]
    protocols: Mapping[str, str]
    own: Mapping[str, str]
    child: Child | None = None
    java_options: Sequence[str] = ()

    def address(self, listener: str = "INSIDE") -> str:
        return f"{LOOPBACK}:{self.ports[listener]}"

    def start(self) -> None:
        (self.home / "server.properties").write_text(self.properties())
        self.child = self.children.start(kafka.kafka_program(kafka_files(), self._place(), *self.java_options))

    def wait(self) -> None:
        assert self.child
        wait_for_kafka(self.address(), self.child, None)

    def stop(self) -> None:
        if self.child:
            self.children.stop([self.child])

    def kill(self) -> None:
        if self.child:
            self.children.forget(self.child)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stopped by SIGSTOP for as long as the block lasts."""
        assert self.child
        os.killpg(self.child.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.child.pid, signal.SIGCONT)

    def format(self, cluster_id: str, *options: str) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "server.properties").write_text(self.properties())
        command = (*kafka.format_command(kafka_files(), self._place(), cluster_id), *options)
        subprocess.run(command, check=True, capture_output=True, timeout=kafka.FORMAT_SECONDS)

    def _place(self) -> kafka.KafkaPlace:
        return kafka.KafkaPlace(self.home, self.ports.get("INSIDE", 0), 0)

    def properties(self) -> str:
        listeners = ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in self.ports.items())
        advertised = ",".join(one for one in listeners.split(",") if not one.startswith("CONTROLLER"))
        protocols = ",".join(f"{name}:{protocol}" for name, protocol in self.protocols.items())
        lines = {
            "node.id": str(self.identity),
            "listeners": listeners,
            "listener.security.protocol.map": protocols,
            "log.dirs": str(self.home / "log"),
            **({"advertised.listeners": advertised} if advertised else {}),
            **COMMON,
            **self.own,
        }
        return "".join(f"{name}={value}\n" for name, value in lines.items())


@dataclass
class Cluster:
    """A controller that is no broker, and brokers."""

    controller: Broker
    brokers: Sequence[Broker] = field(default_factory=list)

    @property
    def addresses(self) -> str:
        return ",".join(broker.address() for broker in self.brokers)


@contextmanager
def lone_broker(
    folder: Path,
    listeners: Mapping[str, str] = {},
    users: Mapping[str, str] = {},
    java_options: Sequence[str] = (),
    **own: str,
) -> Iterator[Broker]:
    """One node, with `listeners` (name: protocol) beside INSIDE, SCRAM users, and settings (`_` for `.`)."""
    protocols = {"INSIDE": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **listeners}
    ports = {name: any_free() for name in protocols}
    with Children(folder / "logs") as children:
        settings = {
            "process.roles": "broker,controller",
            "controller.quorum.voters": f"1@{LOOPBACK}:{ports['CONTROLLER']}",
            **_replicas(1),
            **{name.replace("_", "."): value for name, value in own.items()},
        }
        broker = Broker(children, folder / "kafka", 1, ports, protocols, settings, java_options=java_options)
        scram = [f"{hash_}=[name={name},password={password}]" for name, password in users.items() for hash_ in SCRAM]
        broker.format(kafka.new_cluster_id(), *(word for one in scram for word in ("--add-scram", one)))
        broker.start()
        broker.wait()
        yield broker


@contextmanager
def cluster(folder: Path, count: int = 3, **own: str) -> Iterator[Cluster]:
    """`count` brokers, and a controller apart from them."""
    protocols = {"INSIDE": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
    quorum = {"controller.quorum.voters": f"{CONTROLLER_ID}@{LOOPBACK}:{(port := any_free())}", **_replicas(count)}
    settings = {**quorum, **{name.replace("_", "."): value for name, value in own.items()}}
    identity = kafka.new_cluster_id()
    with Children(folder / "logs") as children:
        controller = Broker(
            children,
            folder / "controller",
            CONTROLLER_ID,
            {"CONTROLLER": port},
            protocols,
            _role("controller", settings),
        )
        brokers = [
            Broker(children, folder / f"kafka{one}", one, {"INSIDE": any_free()}, protocols, _role("broker", settings))
            for one in range(1, count + 1)
        ]
        nodes = [controller, *brokers]
        for node in nodes:
            node.format(identity)
            node.start()
        for node in brokers:
            node.wait()
        yield Cluster(controller, brokers)


def _role(role: str, settings: Mapping[str, str]) -> Mapping[str, str]:
    return {"process.roles": role, **settings}


def _replicas(count: int) -> dict[str, str]:
    in_sync = str(max(count - 1, 1))
    return {
        "offsets.topic.replication.factor": str(count),
        "transaction.state.log.replication.factor": str(count),
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": str(count),
        "share.coordinator.state.topic.min.isr": in_sync,
    }
