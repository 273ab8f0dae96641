"""Secrets of Kafka that change, and tokens that end, while processes run: nothing is lost, no dead letter, no crash."""

import asyncio
import json
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ops.local.servers.processes import Child
from tests.kafka.admin import admin_of
from tests.security.kafka_passwords import change_password
from tests.security.kafka_rights import granted
from tests.security.kafka_servers import SecureKafka, secure_kafka
from tests.security.mongo_servers import SecuredMongo
from tests.security.system import SecuredSystem, secured_system, until

pytestmark = [pytest.mark.real, pytest.mark.faults]

NAME = "rotation"
TOKENS = "tokens"
PROCESSES = ("ingress", "worker")
NEXT = "the next password"


def test_a_password_that_changes_on_the_brokers_is_an_outage(tmp_path: Path, mongo: SecuredMongo) -> None:
    # Brokers ask for the password again every few seconds.
    own = {"listener.name.scram.connections.max.reauth.ms": "3000"}
    with (
        secure_kafka(tmp_path / "kafka", **own) as broker,
        secured_system(tmp_path / "system", NAME, mongo, lambda process: broker.settings("SCRAM", process)) as system,
    ):
        asyncio.run(changed(broker, grant=NAME))
        system.ran("init", "--json")
        children = {process: system.start(process) for process in PROCESSES}
        system.until_ready(*PROCESSES)
        assert load(system) == []
        asyncio.run(changed(broker))
        for child in children.values():
            until(partial(has, child, "kafka_lost"), system.said)
        for process, child in children.items():
            system.file(process, kafka={"sasl_password": NEXT})
            os.kill(child.pid, signal.SIGHUP)
        for child in children.values():
            until(partial(has, child, "kafka_back"), system.said)
        system.until_ready(*PROCESSES)
        assert load(system) == []
        for process, child in children.items():
            (lost,) = events(child, "kafka_lost")
            assert f"Kafka refused user {process}: wrong password" in lost["reason"], lost
            assert child.exit_status() is None
            assert "Traceback" not in child.log.read_text()
        assert [] == system.ran("dead-letters", "list", "--json").json
        assert 0 == system.ran("verify", "--json").json["differences"]


def test_tokens_of_seconds_cost_no_request(tmp_path: Path, mongo: SecuredMongo) -> None:
    """For a minute (TOKEN_LOAD_SECONDS), with tokens of five seconds: no outage, no error to a client, no loss."""
    seconds = os.environ.get("TOKEN_LOAD_SECONDS", "60")
    with (
        secure_kafka(tmp_path / "kafka") as broker,
        secured_system(tmp_path / "system", TOKENS, mongo, lambda process: broker.settings("OAUTH", process)) as system,
    ):
        broker.tokens.lifetime_seconds = 5
        asyncio.run(changed(broker, grant=TOKENS))
        system.ran("init", "--json")
        children = [system.start(process) for process in PROCESSES]
        system.until_ready(*PROCESSES)
        loaded = system.ran("load", "--rate", "40", "--seconds", seconds, "--players", "10", "--json").json
        assert ([], {}, 0) == (loaded["differences"], loaded["refused"], loaded["unknown"])
        for child in children:
            assert [] == events(child, "kafka_lost")
            assert "Traceback" not in child.log.read_text()
        assert broker.tokens.given > 2 * float(seconds) / 5


async def changed(broker: SecureKafka, *, grant: str = "") -> None:
    """Rights for all in the system of this name; or the next password of the processes."""
    if grant:
        async with granted(broker.broker.address(), grant):
            return
    async with admin_of(broker.broker.address()) as admin:
        for process in PROCESSES:
            await change_password(admin, process, NEXT)


def load(system: SecuredSystem) -> Any:  # noqa: ANN401 a command's JSON
    return system.ran("load", "--rate", "40", "--seconds", "2", "--players", "10", "--json").json["differences"]


def has(child: Child, event: str) -> bool:
    return bool(events(child, event))


def events(child: Child, event: str) -> list[dict[str, Any]]:
    lines = [line for line in child.log.read_text().splitlines() if f'"{event}"' in line]
    return [json.loads(line) for line in lines]
