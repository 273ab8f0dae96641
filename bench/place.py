"""Kafka and MongoDB for one benchmark, and settings for the processes that it starts."""

import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from ops.config import DATA_VARIABLE, Settings, variable_of
from ops.local.servers.fetch import mongod_file
from ops.local.servers.mongod import MongodPlace, mongod_program
from ops.local.servers.ports import any_free, choose_ports
from ops.local.servers.processes import Children, Program
from ops.local.servers.source import Sources
from ops.local.servers.stack import ANY_PORTS, start_servers, wait_for_mongod
from schemas.settings import Api

KEY = "a key for benchmarks alone"

# A worker finishes its flushes before it stops.
STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Place:
    """Running servers, and a folder for the files of the processes beside them."""

    kafka: str
    mongodb: str
    mongod_pid: int
    folder: Path
    children: Children
    kafka_pid: int = 0

    def settings(self, partitions: int) -> Settings:
        """Settings with new topics, a new group and a new database."""
        name = f"bench-{secrets.token_hex(4)}"
        topics = {"records_topic": name, "analytics_topic": f"{name}-analytics"}
        kafka = {"bootstrap_servers": self.kafka, **topics, "group": name, "partitions": partitions}
        mongodb = {"uri": self.mongodb, "database": name}
        return Settings.model_validate({"kafka": kafka, "mongodb": mongodb, "signing": {"keys": [KEY]}})

    def python(self, name: str, settings: Settings, *arguments: str, **variables: str) -> Program:
        """A Python module (`python -m`) that gets these settings in its environment."""
        environ = self._environ(settings) | variables
        return Program(name, (sys.executable, "-m", *arguments), environ, STOP_SECONDS)

    def workers(self, settings: Settings, count: int, api: Api = "games") -> list[Program]:
        """`count` `tallymill worker` processes that read the topic of one API."""
        port, apis = variable_of("worker.metrics_port"), {variable_of("worker.apis"): f'["{api}"]'}
        return [
            self.python(f"worker-{i}", settings, "ops", "worker", **apis, **{port: str(any_free())})
            for i in range(count)
        ]

    def replays(self, settings: Settings, count: int, api: Api) -> list[Program]:
        """`count` processes that share what workers of one API would write (bench/rivals/replay.py)."""
        return [
            self.python(f"replay-{i}", settings, "bench.rivals.replay", str(i), str(count), api) for i in range(count)
        ]

    def _environ(self, settings: Settings) -> dict[str, str]:
        tokens = texts_of(settings.tokens.model_dump())
        return {variable_of(f"tokens.{name}"): value for name, value in tokens.items()} | {
            DATA_VARIABLE: str(self.folder),  # not the local system's settings, should one be running
            variable_of("kafka.bootstrap_servers"): self.kafka,
            variable_of("kafka.records_topic"): settings.kafka.records_topic,
            variable_of("kafka.analytics_topic"): settings.kafka.analytics_topic,
            variable_of("kafka.partitions"): str(settings.kafka.partitions),
            variable_of("kafka.group"): settings.kafka.group,
            variable_of("mongodb.uri"): self.mongodb,
            variable_of("mongodb.database"): settings.mongodb.database,
            variable_of("signing.keys"): f'["{KEY}"]',
        }


def texts_of(section: Mapping[str, object]) -> dict[str, str]:
    """Those settings of a section that are texts, secret or not."""
    shown = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in section.items()
    }
    return {name: value for name, value in shown.items() if isinstance(value, str)}


def renamed(settings: Settings, suffix: str) -> Settings:
    """The same topic, with another group and another database."""
    name = f"{settings.kafka.records_topic}-{suffix}"
    kafka = settings.kafka.model_copy(update={"group": name})
    mongodb = settings.mongodb.model_copy(update={"database": name})
    return settings.model_copy(update={"kafka": kafka, "mongodb": mongodb})


@dataclass(frozen=True, slots=True)
class Mongod:
    """A running mongod."""

    uri: str
    pid: int


@contextmanager
def mongods(names: Sequence[str]) -> Iterator[Mapping[str, Mongod]]:
    """A MongoDB on loopback for each name, for as long as the block lasts. Each has a cache of its own."""
    with tempfile.TemporaryDirectory(prefix="tallymill-bench-") as folder:
        data = Path(folder)
        with Children(data / "logs") as children:
            running = {}
            for name in names:
                place = MongodPlace(data / name, choose_ports((0,))[0])
                place.home.mkdir()
                child = children.start(replace(mongod_program(mongod_file(), place), name=name))
                wait_for_mongod(place.address, child, None)
                running[name] = Mongod(place.uri, child.pid)
            yield running


@contextmanager
def servers() -> Iterator[Place]:
    """Kafka and MongoDB on loopback for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="tallymill-bench-") as folder:
        data = Path(folder)
        with Children(data / "logs") as children:
            own = start_servers(children, data, Sources("local", "local"), ANY_PORTS)
            assert own.mongodb
            assert own.kafka
            addresses = (own.kafka_address or "", own.mongodb_uri or "")
            yield Place(*addresses, own.mongodb.pid, data, children, own.kafka.pid)
