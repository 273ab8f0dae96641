"""Each way to sign in, end to end: every process and every command as a user of its own, with its rights alone."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from aiokafka import AIOKafkaProducer

from ops.local.servers.processes import Child
from schemas.documents import CHECKPOINTS
from tests.security.kafka_servers import Listener, SecureKafka, secure_kafka
from tests.security.mongo_servers import SecuredMongo
from tests.security.system import Known, SecuredSystem, secured_system, until

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with secure_kafka(tmp_path_factory.mktemp("broker")) as running:
        yield running


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
    with secured_system(tmp_path, name, mongo, lambda _: broker.settings(listener), known) as system:
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
