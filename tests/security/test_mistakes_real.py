"""Every command and every process, with every mistake of a connection: it names the mistake, soon, and tells no secret.

`make test` runs each mistake with one command; the whole table is marked `faults`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import cycle
from typing import Any

import pytest
from typer.main import get_command

from ops.cli import app
from ops.local.servers.processes import Child
from ops.output import EXIT_BAD_INPUT
from tests.security import kafka_mistakes, mongo_mistakes
from tests.security.commands import COMMANDS, WITHOUT_SERVERS, Command, prepared, run
from tests.security.kafka_mistakes import EXPIRED_SERVER, MISTAKES, expired_server, made
from tests.security.kafka_servers import USERS, SecureKafka, password_of
from tests.security.mongo_mistakes import MESSAGES, uri_with
from tests.security.mongo_servers import SecuredMongo
from tests.security.system import PROCESSES, Ran, SecuredSystem, Table, secured_system, until, without_secrets

pytestmark = pytest.mark.real

# Of a person who waits for a command. A machine that is busy with other tests gets more than one try.
SECONDS = 10
TRIES = 4

QUICK = [one for one in COMMANDS if one.name != "status"]
OF_KAFKA = [one for one in COMMANDS if one.kafka]

_is_raw = re.compile(r"Traceback|object at 0x|Topology|configured timeouts|Errno|[A-Z]\w+(?:Error|Failure)\(").search

Settings = Mapping[str, Table]


@pytest.fixture(scope="module")
def system(
    tmp_path_factory: pytest.TempPathFactory, mongo: SecuredMongo, kafka: SecureKafka
) -> Iterator[SecuredSystem]:
    """Initialised, and nothing runs."""
    with secured_system(tmp_path_factory.mktemp("mistakes"), "mistakes", mongo, lambda _: {}) as made:
        assert 0 == made.run("init", user="any", **right(mongo, kafka)).status
        with prepared(made):
            yield made


def right(mongo: SecuredMongo, kafka: SecureKafka) -> dict[str, Table]:
    """Settings without a mistake, of users who may do anything."""
    return {"kafka": kafka.settings("SCRAM"), "mongodb": {"uri": mongo.uri("root")}}


def wrong(said: str, words: str, system: SecuredSystem) -> str:
    """What is wrong with a text; empty if it names the mistake, and is for a person."""
    text = re.sub(r"\s+", " ", said)
    secrets = [*map(password_of, USERS), kafka_mistakes.WRONG_PASSWORD, mongo_mistakes.WRONG_PASSWORD]
    without_secrets([said], [*secrets, *system.mongo.passwords.values()])
    return "" if words in text and not _is_raw(text) else text


def refused(system: SecuredSystem, command: Command, settings: Settings, words: str) -> str:
    """What is wrong with the end of a command; empty if nothing is."""
    for _ in range(TRIES):
        done: Ran = run(system, command, settings)
        if done.seconds < SECONDS:
            break
    else:
        return f"{command}: {done.seconds:.1f} s"
    if done.status == 0:
        return f"{command}: exit status 0"
    found = wrong(done.said, words, system)
    return found and f"{command}: {found}"


def pairs(mistakes: Mapping[str, object], commands: list[Command]) -> list[object]:
    """Each mistake with one command, in turns."""
    return [
        pytest.param(mistake, command, id=f"{mistake}-{command}")
        for mistake, command in zip(mistakes, cycle(commands), strict=False)
    ]


def names(command: Any, before: str = "") -> Iterator[str]:  # noqa: ANN401 typer's own
    """Of all commands. A group that works without a command of its own is one too."""
    for name, one in command.commands.items():
        if not hasattr(one, "commands") or one.invoke_without_command:
            yield before + name
        if hasattr(one, "commands"):
            yield from names(one, f"{before}{name} ")


def test_every_command_is_in_the_table() -> None:
    """A new command is asked too, or is known to connect to no server."""
    known = {*map(str, COMMANDS), *PROCESSES, *WITHOUT_SERVERS}
    assert known == set(names(get_command(app)))


# Kafka


@pytest.mark.parametrize(("mistake", "command"), pairs(MISTAKES, [one for one in QUICK if one.kafka]))
def test_a_mistake_of_kafka_is_named(system: SecuredSystem, kafka: SecureKafka, mistake: str, command: Command) -> None:
    with made(kafka, MISTAKES[mistake]) as settings:
        both = {**right(system.mongo, kafka), "kafka": settings}
        assert "" == refused(system, command, both, MISTAKES[mistake].words)


@pytest.mark.faults
@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_command_names_each_mistake_of_kafka(system: SecuredSystem, kafka: SecureKafka, mistake: str) -> None:
    with made(kafka, MISTAKES[mistake]) as settings:
        both = {**right(system.mongo, kafka), "kafka": settings}
        found = [refused(system, command, both, MISTAKES[mistake].words) for command in OF_KAFKA]
    assert [] == [one for one in found if one]


@pytest.mark.faults
def test_every_command_names_an_expired_certificate_of_kafka(system: SecuredSystem, kafka: SecureKafka) -> None:
    pair = kafka.authority.issue("old", "127.0.0.1", valid=timedelta(days=-1))
    with expired_server(pair.certfile, pair.keyfile) as address:
        both = {**right(system.mongo, kafka), "kafka": kafka.settings("SCRAM", bootstrap_servers=address)}
        found = [refused(system, command, both, EXPIRED_SERVER) for command in OF_KAFKA]
    assert [] == [one for one in found if one]


# MongoDB


@pytest.mark.parametrize(("mistake", "command"), pairs(MESSAGES, QUICK))
def test_a_mistake_of_mongodb_is_named(
    system: SecuredSystem, kafka: SecureKafka, mistake: str, command: Command
) -> None:
    uri = uri_with(mistake, system.mongo, "root", system.folder)
    both = {**right(system.mongo, kafka), "mongodb": {"uri": uri}}
    assert "" == refused(system, command, both, MESSAGES[mistake])


@pytest.mark.faults
@pytest.mark.parametrize("mistake", MESSAGES)
def test_every_command_names_each_mistake_of_mongodb(system: SecuredSystem, kafka: SecureKafka, mistake: str) -> None:
    uri = uri_with(mistake, system.mongo, "root", system.folder)
    both = {**right(system.mongo, kafka), "mongodb": {"uri": uri}}
    found = [refused(system, command, both, MESSAGES[mistake]) for command in COMMANDS]
    assert [] == [one for one in found if one]


# Processes: they wait, and say it once.


def instant(line: str) -> datetime:
    return datetime.fromisoformat(json.loads(line)["timestamp"])


def events(child: Child, event: str) -> list[str]:
    return [line for line in child.log.read_text().splitlines() if f'"{event}"' in line]


def assert_processes_name(system: SecuredSystem, settings: Settings, server: str, words: str) -> None:
    """A process that runs logs the outage once, and /readyz names the server. One that can't start says why."""
    children = {process: system.start(process, **settings) for process in PROCESSES}
    try:
        for child in children.values():
            until(lambda child=child: words in child.log.read_text(), system.said)  # type: ignore[misc]
        for process, child in children.items():
            said = child.log.read_text()
            assert "" == wrong(said, words, system)
            if not said.startswith("{"):  # settings that can't be used: nothing has started
                until(lambda child=child: child.exit_status() is not None, system.said)  # type: ignore[misc]
                assert EXIT_BAD_INPUT == child.exit_status()
                continue
            lost = events(child, f"{server}_lost")
            assert 1 == len(lost), said
            assert instant(lost[0]) - instant(said.splitlines()[0]) < timedelta(seconds=SECONDS)
            assert child.exit_status() is None
            assert_not_ready(system, process, server)
    finally:
        system.children.stop(list(children.values()))


def assert_not_ready(system: SecuredSystem, process: str, server: str) -> None:
    if (process, server) == ("console", "kafka"):
        return  # its queries need MongoDB alone
    status, body = system.get(process, "/readyz")
    assert 503 == status, (process, body)
    assert server in body["missing"], (process, body)


@pytest.mark.faults
@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_process_names_each_mistake_of_kafka(system: SecuredSystem, kafka: SecureKafka, mistake: str) -> None:
    with made(kafka, MISTAKES[mistake]) as settings:
        both = {**right(system.mongo, kafka), "kafka": settings}
        assert_processes_name(system, both, "kafka", MISTAKES[mistake].words)


@pytest.mark.faults
@pytest.mark.parametrize("mistake", MESSAGES)
def test_every_process_names_each_mistake_of_mongodb(system: SecuredSystem, kafka: SecureKafka, mistake: str) -> None:
    uri = uri_with(mistake, system.mongo, "root", system.folder)
    both = {**right(system.mongo, kafka), "mongodb": {"uri": uri}}
    assert_processes_name(system, both, "mongodb", MESSAGES[mistake])
