"""Servers of their own for a benchmark, and the processes in it: what they cost, and that they end."""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ops.config import Settings, variable_of
from ops.local.ports import choose_ports
from ops.local.processes import Children
from ops.local.source import Sources
from ops.local.stack import ANY_PORTS, start_servers

KEY = "a key for benchmarks alone"

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Place:
    """Running servers."""

    kafka: str
    mongodb: str
    mongod_pid: int

    def settings(self, partitions: int) -> Settings:
        """A topic, a group and a database of their own."""
        name = f"bench-{secrets.token_hex(4)}"
        kafka = {"bootstrap_servers": self.kafka, "records_topic": name, "group": name, "partitions": partitions}
        mongodb = {"uri": self.mongodb, "database": name}
        return Settings.model_validate({"kafka": kafka, "mongodb": mongodb, "signing": {"keys": [KEY]}})


@contextmanager
def servers() -> Iterator[Place]:
    """Kafka and MongoDB on loopback for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="tallymill-bench-") as folder:
        data = Path(folder)
        with Children(data / "logs") as children:
            own = start_servers(children, data, Sources("local", "local"), ANY_PORTS)
            assert own.mongodb
            yield Place(own.kafka_address or "", own.mongodb_uri or "", own.mongodb.pid)


@contextmanager
def workers(settings: Settings, count: int) -> Iterator[list[int]]:
    """So many `tallymill worker` processes; their pids."""
    environ = os.environ | {
        variable_of("kafka.bootstrap_servers"): settings.kafka.bootstrap_servers or "",
        variable_of("kafka.records_topic"): settings.kafka.records_topic,
        variable_of("kafka.group"): settings.kafka.group,
        variable_of("mongodb.uri"): settings.mongodb.uri.get_secret_value() if settings.mongodb.uri else "",
        variable_of("mongodb.database"): settings.mongodb.database,
        variable_of("signing.keys"): f'["{KEY}"]',
    }
    started = []
    try:
        for port in choose_ports(ANY_PORTS * count)[:count]:
            own = environ | {variable_of("worker.metrics_port"): str(port)}
            started.append(subprocess.Popen([sys.executable, "-m", "ops", "worker"], env=own))
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(60)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_memory_mib(pid: int) -> float:
    """Largest resident size of a process so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def now() -> float:
    return time.perf_counter()
