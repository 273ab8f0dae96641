"""Each way to sign in, end to end: every process and every command as a user of its own, with its rights alone."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from aiokafka import AIOKafkaProducer

from ops.local.servers.processes import Child
from schemas.documents import CHECKPOINTS
from tests.security.kafka_rights import granted
from tests.security.kafka_servers import USERS, Listener, SecureKafka
from tests.security.mongo_servers import SecuredMongo
from tests.security.system import Known, SecuredSystem, secured_system, until, without_secrets

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def broker(kafka: SecureKafka) -> SecureKafka:
    return kafka


# Each way that a user is known by Kafka, and by MongoDB.
COMBINATIONS: list[tuple[Listener, Known]] = [
    ("SCRAM", "password"),
    ("PLAIN", "certificate"),
    ("MUTUAL", "password"),
    ("OAUTH", "certificate"),
]


@pytest.mark.parametrize(("listener", "known"), COMBINATIONS)
def test_a_system_counts_exactly_once_with_tls_users_and_no_more_rights_than_it_needs(
    tmp_path: Path, mongo: SecuredMongo, broker: SecureKafka, listener: Listener, known: Known
) -> None:
    """Though a worker is killed under load."""
    name = f"{listener.lower()}-{known}"
    with (
        secured_system(tmp_path, name, mongo, lambda process: kafka_of(broker, listener, process), known) as system,
        kafka_rights(broker, name),
    ):
        assert "wrong" not in {one["state"] for one in system.ran("init", "--json").json}
        for process in ("ingress", "console", "worker"):
            child = system.start(process)
        asyncio.run(spoil(broker, system))
        system.until_ready("ingress", "worker", "console")
        killing = Thread(target=kill_under_load, args=(system, child))
        killing.start()
        loaded = system.ran("load", "--rate", "60", "--seconds", "2", "--players", "20", "--json").json
        killing.join()
        assert [] == loaded["differences"]
        assert "wrong" not in {one["state"] for one in system.ran("doctor", "--json").json}
        assert 0 == system.ran("verify", "--json").json["differences"]
        assert 2 == len(system.ran("lineage", "--json").json)
        assert 1 == len(system.ran("dead-letters", "list", "--json").json)
        assert 1 == system.ran("dead-letters", "redrive", "--json").json["redriven"]
        assert_quiet(system)


def kafka_of(broker: SecureKafka, listener: Listener, process: str) -> dict[str, object]:
    """A process that does not connect to Kafka has no user there."""
    return broker.settings(listener, process) if process in USERS else {}


@contextmanager
def kafka_rights(broker: SecureKafka, name: str) -> Iterator[None]:
    """Those of the table, on the topics and groups of this name."""
    with asyncio.Runner() as runner:
        rights = granted(broker.broker.address(), name)
        runner.run(rights.__aenter__())
        yield
        runner.run(rights.__aexit__(None, None, None))


def assert_quiet(system: SecuredSystem) -> None:
    """No process lacked a right, lost a server but through its own death, or told a secret."""
    logs = [one.read_text() for one in (system.folder / "logs").glob("*.log")]
    assert not [line for log in logs for line in log.splitlines() if "not_allowed" in line or "not_checked" in line]
    assert not [line for log in logs for line in log.splitlines() if "Traceback" in line or "_lost" in line]
    without_secrets(logs, list(system.mongo.passwords.values()))


def kill_under_load(system: SecuredSystem, worker: Child) -> None:
    """SIGKILL when it has counted something of the load; another one takes its place."""
    with system.mongo.client as client:
        checkpoints = client[system.name][CHECKPOINTS]
        until(lambda: sum(one["fates"]["applied"] for one in checkpoints.find()) > 20, system.said)
    system.kill(worker)
    system.start("worker")


async def spoil(broker: SecureKafka, system: SecuredSystem) -> None:
    """A record that becomes a dead letter."""
    async with AIOKafkaProducer(bootstrap_servers=broker.broker.address(), acks="all") as producer:
        await producer.send_and_wait(system.name, b"\xff\x00 nobody can read this")
