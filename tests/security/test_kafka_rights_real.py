"""The rights of docs/security.md, one user a process: enough for everything, and each of them is needed."""

import asyncio
import re
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaProducer

from tests.security.commands import COMMANDS, prepared, run
from tests.security.kafka_rights import Row, granted, rights_of, rows, take_away
from tests.security.kafka_servers import SecureKafka
from tests.security.mongo_servers import SecuredMongo
from tests.security.system import PROCESSES, SecuredSystem, secured_system, until

NAME = "rights"

# What asks for a right, where the command of that name alone does not.
START = ("lineage", "start", "--from", "end", "--reason", "a test", "--yes", "--json")
WORDS = {
    "dead-letters Write topics": ("dead-letters", "redrive", "--json", "--again"),
    "lineage Describe groups": START,
}


@pytest.fixture(scope="module")
def broker(kafka: SecureKafka) -> SecureKafka:
    return kafka


@pytest.fixture(scope="module")
def system(
    tmp_path_factory: pytest.TempPathFactory, broker: SecureKafka, mongo: SecuredMongo
) -> Iterator[SecuredSystem]:
    """Initialised, with a dead letter."""
    folder = tmp_path_factory.mktemp("system")
    with secured_system(folder, NAME, mongo, lambda process: broker.settings("SCRAM", process)) as made:
        asyncio.run(initialised(broker, made))
        yield made


async def initialised(broker: SecureKafka, system: SecuredSystem) -> None:
    async with granted(broker.broker.address(), NAME):
        await asyncio.to_thread(system.ran, "init", "--json")
        await unreadable(broker)
        worker = await asyncio.to_thread(system.start, "worker")
        letters = ("dead-letters", "list", "--json")
        await asyncio.to_thread(until, lambda: system.ran(*letters).json, system.said)
        await asyncio.to_thread(system.children.stop, [worker])


async def unreadable(broker: SecureKafka) -> None:
    """A record that becomes a dead letter."""
    async with AIOKafkaProducer(bootstrap_servers=broker.broker.address(), acks="all") as producer:
        await producer.send_and_wait(NAME, b"\xff\x00 nobody can read this")


@pytest.mark.faults
@pytest.mark.parametrize("row", rows(), ids=str)
async def test_a_right_that_is_missing_is_named_with_the_command_that_grants_it(
    broker: SecureKafka, system: SecuredSystem, row: Row
) -> None:
    async with granted(broker.broker.address(), NAME) as admin:
        await unreadable(broker)  # one that no worker has counted: the console asks for its age
        await take_away(admin, rights_of(row, NAME))
        words = await asyncio.to_thread(logged if row.process in PROCESSES else printed, system, row)
    rights = re.findall(rf"User:{row.process} lacks the rights? ([\w ]+) on the {row.on.rstrip('s')}", words)
    assert row.operation in {one for found in rights for one in found.split()}, words
    assert f"kafka-acls.sh --bootstrap-server {broker.broker.address('SCRAM')} --add" in words


def printed(system: SecuredSystem, row: Row) -> str:
    """What the command says."""
    if row.process == "status":
        with prepared(system):
            command = next(one for one in COMMANDS if one.name == "status")
            kafka, mongodb = system.kafka("status"), {"uri": system.uri("status")}
            return run(system, command, {"kafka": kafka, "mongodb": mongodb}).said
    return system.run(*WORDS.get(str(row), (row.process, "--json"))).said


def logged(system: SecuredSystem, row: Row) -> str:
    """What the process logs, until it names a missing right."""
    child = system.start(row.process)
    try:
        if str(row) == "console Write topics":
            system.until_ready("console")
            redrive_by_http(system)
        until(lambda: "lacks the right" in child.log.read_text(), system.said)
        return child.log.read_text()
    finally:
        system.kill(child)


def redrive_by_http(system: SecuredSystem) -> None:
    scopes = ("--scope", "tallymill.refusals", "--scope", "tallymill.operate")
    token = system.ran("token", "--app", "demo", "--player", "olga", *scopes, user="console").said.split()[-1]
    listed = system.ran("dead-letters", "list", "--json").json
    chosen = {"ids": [one["id"] for one in listed if not one["redriven"]]}
    status, dry = system.send("console", "/v1/dead-letters/redrive", token, chosen)
    assert 200 == status, dry
    assert dry["ids"], dry
    sure = {"ids": dry["ids"], "dryRun": False, "confirm": dry["confirm"]}
    system.send("console", "/v1/dead-letters/redrive", token, sure)
